import json

import pytest

from tests.integration.line.conftest import BUCKET, key, log_file, records
from tests.support import announcements
from tests.unit.ledger.conftest import refs
from trailcourier.cli.quarantine_view import what_to_do
from trailcourier.ledger import Ledger
from trailcourier.ledger.quarantine import (
    QuarantinedRecord,
    QuarantineEntry,
    entry_id,
    message_entry_id,
)
from trailcourier.models import Message, Numbers, ObjectRef
from trailcourier.notifications import subscription_confirm_command
from trailcourier.reasons import REASONS

TOPIC = "arn:aws:sns:us-east-1:111122223333:alarms"
EVIL = "\x1b]0;owned\x07[bold]\x9b2J\u202e:smile:.json.gz"


def entry(ref, reason="corrupt", **more):
    return QuarantineEntry(entry_id(ref), "object", reason, f"broken {ref}", ref, "m1", **more)


@pytest.fixture
def put(ledger):
    def put(*entries):
        for each in entries:
            ledger.quarantine.put(each)
        return entries[0].id if entries else ""

    return put


def columns(line):
    return line.split()


def test_an_empty_quarantine_says_so(call):
    assert call("quarantine", "list") == (0, "Nothing is in quarantine.\n", "")
    assert json.loads(call("quarantine", "list", "--json").out) == []


def test_the_latest_of_all_sources_is_listed_first(call, client, put, pass_time):
    a, b = refs("a", "b")
    put(entry(a))
    pass_time(5)
    Ledger(client, "dev", Numbers()).quarantine.put(entry(b, "no-such-key"))

    result = call("quarantine", "list")

    head, first, second = result.out.splitlines()
    assert columns(head) == [
        "id", "source", "reason", "times", "since", "last", "seen", "what:", "detail",
    ]  # fmt: skip
    assert columns(first)[:4] == [entry_id(b)[:12], "dev", "no-such-key", "1"]
    assert columns(second)[:4] == [entry_id(a)[:12], "prod", "corrupt", "1"]
    assert second.endswith("s3://acme-logs/a: broken s3://acme-logs/a")


def test_the_list_can_be_limited_to_one_source(call, put):
    put(entry(refs("a")[0]))

    assert "corrupt" in call("quarantine", "list", "--source", "prod").out
    assert "Nothing" in call("quarantine", "list", "--source", "dev").out
    assert call("quarantine", "list", "--source", "prd").code == 78


def test_the_beginning_of_an_id_is_enough(call, put):
    put(entry(refs("a")[0]), entry(refs("b")[0]))
    listed = columns(call("quarantine", "list").out.splitlines()[1])[0]

    result = call("quarantine", "show", listed)

    assert result.code == 0
    assert result.out.startswith(listed)


def test_an_id_is_shortened_only_as_far_as_it_stays_unique(call, put):
    plain, rewritten = ObjectRef("acme-logs", "a"), ObjectRef("acme-logs", "a", etag="e1")
    put(entry(plain), entry(rewritten))

    listed = [columns(line)[0] for line in call("quarantine", "list").out.splitlines()[1:]]
    shown = [call("quarantine", "show", each) for each in listed]

    assert sorted(map(len, listed)) == [24, 25]
    assert [each.code for each in shown] == [0, 0]
    assert {each.out.split()[0] for each in shown} == {entry_id(plain), entry_id(rewritten)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param("ffff", "no entry 'ffff'; see `trailcourier quarantine list`", id="none"),
        pytest.param("", "2 entries begin with ''; give more of the id, or --source", id="several"),
    ],
)
def test_an_id_of_no_entry_or_of_several_is_a_usage_error(call, put, given, message):
    put(entry(refs("a")[0]), entry(refs("b")[0]))

    answer = call("quarantine", "show", given)

    assert answer == (
        64,
        "",
        f"trailcourier: Invalid value: {message}; see `trailcourier quarantine show --help`\n",
    )


def test_show_prints_every_field_and_what_to_do(call, put):
    records = (QuarantinedRecord("archive", 3, "record-too-large: 2 MB", "9f-3"),)
    id_ = put(entry(refs("a")[0], "rejected-records", records=records, records_in_all=9))

    result = call("quarantine", "show", id_, "--no-read")

    lines = result.out.splitlines()
    assert lines[0] == f"{id_}  (object of source prod)"
    assert lines[1:4] == [
        "what:    s3://acme-logs/a",
        f"reason:  rejected-records. {REASONS['rejected-records'].text}",
        "detail:  broken s3://acme-logs/a",
    ]
    assert lines[4].startswith("seen:    once, 20")
    assert lines[5].startswith("to do:   Read the sink's answer to each record")
    assert lines[5].endswith(f"Then run `trailcourier quarantine retry {id_}`.")
    assert lines[6:] == [
        "queue:   message m1",
        "record 3 (eventID 9f-3), refused by archive: record-too-large: 2 MB",
        "... and 8 more records",
    ]


def test_a_subscription_is_shown_with_the_command_that_confirms_it(call, put):
    command = subscription_confirm_command(announcements.confirmation())
    id_ = message_entry_id("subscription", "", "")
    put(QuarantineEntry(id_, "message", "subscription", "of a topic", None, "m1", command))

    result = call("quarantine", "show", id_)

    assert f"\ncommand: {command}\n" in result.out
    assert "aws sns confirm-subscription" in result.out


def test_an_entry_is_also_json(call, put):
    id_ = put(entry(refs("a")[0]))

    (listed,) = json.loads(call("quarantine", "list", "--json").out)
    shown = json.loads(call("quarantine", "show", id_, "--json").out)

    assert listed.items() <= shown.items()
    assert (shown["id"], shown["source"], shown["ref"]["key"]) == (id_, "prod", "a")
    assert shown["advice"].startswith("Compare it with the trail's digest")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        pytest.param([], "cba", id="all"),
        pytest.param(["--reason", "corrupt"], "ba", id="reason"),
        pytest.param(["--kind", "message"], "c", id="kind"),
        pytest.param(["--since", "1h"], "cb", id="since"),
        pytest.param(["--since", "1h", "--kind", "object"], "b", id="several"),
    ],
)
def test_the_list_is_filtered(call, put, client, options, found):
    a, b = (entry(each) for each in refs("a", "b"))
    client.set("trailcourier:1:offset", -7_200_000)
    put(a)
    client.delete("trailcourier:1:offset")
    put(b, QuarantineEntry("c", "message", "not-understood", "no", message="m9"))
    ids = {"a": a.id, "b": b.id, "c": "c"}

    listed = [each["id"] for each in json.loads(call("quarantine", "list", "--json", *options).out)]

    assert sorted(listed) == sorted(ids[each] for each in found)
    assert len(call("quarantine", "list", *options).out.splitlines()) == len(found) + 1


def test_a_filter_that_matches_nothing_says_so_and_an_unknown_reason_is_an_error(call, put):
    put(entry(refs("a")[0]))

    nothing = call("quarantine", "list", "--reason", "too-large")
    unknown = call("quarantine", "list", "--reason", "corupt")

    assert nothing.out == "No entry of quarantine matches.\n"
    assert unknown.code == 64
    assert "there is no reason 'corupt'; did you mean corrupt?" in unknown.err


def test_show_names_the_events_that_a_sink_rejected(call, put, s3):
    s3.put(BUCKET, key(1), log_file(records(1)))
    rejected = (QuarantinedRecord("archive", 2, "too old", "1-2"),)
    ref = ObjectRef(BUCKET, key(1))
    id_ = put(entry(ref, "rejected-records", records=rejected, records_in_all=1))

    text, as_json = (call("quarantine", "show", id_, *more) for more in ([], ["--json"]))

    assert text.out.splitlines()[-1] == (
        "record 2 (eventID 1-2, eventName PutObject), refused by archive: too old"
    )
    assert json.loads(as_json.out)["rejected"] == [
        {
            "sink": "archive", "ordinal": 2, "event_id": "1-2", "event_name": "PutObject",
            "words": "too old",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("there", [False, True], ids=["no object", "another content"])
def test_events_that_cannot_be_named_are_shown_as_the_ledger_has_them(call, put, s3, there):
    if there:
        s3.put(BUCKET, key(1), log_file(records(1)))
    rejected = (QuarantinedRecord("archive", 2, "too old", "9f"),)
    ref = ObjectRef(BUCKET, key(1))
    id_ = put(entry(ref, "rejected-records", records=rejected, records_in_all=1))

    lines = call("quarantine", "show", id_).out.splitlines()

    assert lines[-2] == "record 2 (eventID 9f), refused by archive: too old"
    assert lines[-1].startswith(
        "The object has other records now" if there else "The object cannot be read for the event"
    )


@pytest.mark.parametrize(
    "reason",
    [name for name, each in REASONS.items() if each.status == "refused" or each.tries],
)
def test_to_do_ends_with_a_command_or_says_that_nothing_is_to_do(reason):
    text = what_to_do(QuarantineEntry("0123", "object", reason, ""))

    assert "`trailcourier quarantine " in text
    assert not text.startswith(("The ", "A ", "No "))


@pytest.mark.parametrize("verb", [["list"], ["list", "--json"], ["show"], ["show", "--json"]])
def test_text_from_outside_cannot_act_on_the_terminal(call, put, verb):
    ref = ObjectRef("acme-logs", EVIL)
    id_ = put(entry(ref, records=(QuarantinedRecord("archive", 1, EVIL, EVIL),), records_in_all=1))

    result = call("quarantine", *verb[:1], *([id_] if verb[0] == "show" else []), *verb[1:])

    assert result.code == 0
    assert result.out.replace("\n", "").isprintable()
    assert "[bold]" in result.out
    assert ":smile:" in result.out


def test_a_reason_of_a_newer_version_is_shown(call, put):
    id_ = put(entry(refs("a")[0], "of-next-year"))

    assert call("quarantine", "list").code == 0
    assert "reason:  of-next-year." in call("quarantine", "show", id_).out
    assert json.loads(call("quarantine", "show", id_, "--json").out)["advice"] == ""


def test_a_retry_delivers_and_ends_with_0(call, put, s3, ledger, tmp_path):
    s3.put(BUCKET, key(1), log_file(records(1)))
    id_ = put(entry(ObjectRef(BUCKET, key(1))))

    result = call("quarantine", "retry", id_[:12])

    assert result == (0, f"Delivered s3://{BUCKET}/{key(1)}.\n", "")
    assert ledger.quarantine.entries() == []
    (file,) = [path for path in (tmp_path / "events").rglob("*.ndjson") if path.is_file()]
    assert len(file.read_text().splitlines()) == 3


def test_a_failed_retry_ends_with_1_and_says_why(call, put, s3):
    s3.put(BUCKET, key(1), b"\x1f\x8b broken")
    id_ = put(entry(ObjectRef(BUCKET, key(1))))

    result = call("quarantine", "retry", id_)

    assert result.code == 1
    assert f"s3://{BUCKET}/{key(1)} was refused again: corrupt: " in result.out
    assert "Traceback" not in result.err


def test_a_retry_uses_the_current_configuration(call, put, s3, config):
    s3.put("of-others", key(1), log_file(records(1)))
    id_ = put(entry(ObjectRef("of-others", key(1)), "bucket-not-allowed"))

    before = call("quarantine", "retry", id_)
    allowed = config.replace('["acme-logs"]', '["acme-logs", "of-others"]')
    after = call("quarantine", "retry", id_, configuration=allowed)

    assert (before.code, after.code) == (1, 0)
    assert "add it to `buckets`" in before.out


def test_several_are_retried_by_their_ids_or_by_a_reason(call, put, s3, ledger):
    for at in (1, 2, 3):
        s3.put(BUCKET, key(at), log_file(records(1)))
    put(
        entry(ObjectRef(BUCKET, key(1)), "bucket-not-allowed"),
        entry(ObjectRef(BUCKET, key(2)), "bucket-not-allowed"),
        entry(ObjectRef(BUCKET, key(3)), "corrupt"),
    )
    two = [each.id for each in ledger.quarantine.entries() if each.reason != "corrupt"]

    both = call("quarantine", "retry", "--reason", "bucket-not-allowed")
    left = ledger.quarantine.entries()
    put(*(entry(ObjectRef(BUCKET, key(at)), "bucket-not-allowed") for at in (1, 2)))
    again = call("quarantine", "retry", *two)

    assert (both.code, both.out.count("Delivered ")) == (0, 2)
    assert [each.reason for each in left] == ["corrupt"]
    assert (again.code, len(again.out.splitlines())) == (0, 2)


def evict(client, count, **numbers):
    """Refuse *count* objects where there is room for the details of one."""
    small = Ledger(client, "prod", Numbers(quarantine_entries=1, **numbers))
    for at in range(count):
        small.quarantine.put(entry(ObjectRef(BUCKET, key(at))))


def test_entries_without_details_are_counted_below_the_list_and_listed_with_all(call, client):
    evict(client, 4)

    lines = call("quarantine", "list").out.splitlines()
    everything = call("quarantine", "list", "--all").out.splitlines()
    as_json = json.loads(call("quarantine", "list", "--json").out)

    assert len(lines) == 4  # the head, one entry, an empty line, and the rest in one
    assert lines[3].startswith("... and 3 more without details, because quarantine is full")
    assert "`trailcourier quarantine retry --all`" in lines[3]
    assert len(everything) == 5
    assert [each.get("evicted", False) for each in as_json].count(True) == 3


def test_an_entry_without_details_can_be_shown(call, client, ledger):
    evict(client, 2)
    id_ = next(each.id for each in ledger.quarantine.entries() if each.evicted)

    result = call("quarantine", "show", id_)

    assert result.code == 0
    assert "\ndetail:  There was no room for the details; they are in the log" in result.out


@pytest.mark.parametrize("which", [["--all"], ["--reason", "corrupt"]], ids=" ".join)
def test_an_entry_without_details_is_retried_with_the_others(call, client, s3, ledger, which):
    evict(client, 3)
    for at in range(3):
        s3.put(BUCKET, key(at), log_file(records(at)))

    result = call("quarantine", "retry", *which)

    assert (result.code, result.out.count("Delivered ")) == (0, 3)
    assert ledger.quarantine.entries() == []


def test_retry_all_takes_every_object_and_no_message(call, put, s3):
    s3.put(BUCKET, key(1), log_file(records(1)))
    put(
        entry(ObjectRef(BUCKET, key(1))),
        QuarantineEntry(
            message_entry_id("not-understood", "", ""), "message", "not-understood", "no"
        ),
    )

    result = call("quarantine", "retry", "--all")

    assert (result.code, len(result.out.splitlines())) == (0, 1)
    assert call("quarantine", "retry", "--all").out == "No refused object is in quarantine.\n"


def test_messages_that_are_alike_are_one_entry_with_sender_and_beginning_of_the_last(call, ledger):
    for at in range(7):
        alike = QuarantineEntry(
            message_entry_id("not-understood", "AIDAALARMS", TOPIC), "message", "not-understood",
            "no JSON", sender="AIDAALARMS", topic=TOPIC, body=f"alarm {at} \\x1b[2J",
        )  # fmt: skip
        ledger.quarantine.set_aside(alike, Message(f"m{at}", "r", ""))

    listed = call("quarantine", "list").out.splitlines()[1]
    lines = call("quarantine", "show", "").out.splitlines()

    assert listed.endswith("message m6 and 6 more: no JSON")
    assert lines[6:] == [
        "queue:   message m2, m3, m4, m5, m6 and 2 earlier",
        "sender:  AIDAALARMS",
        f"topic:   {TOPIC}",
        "body:    alarm 6 \\x1b[2J",
    ]


def test_one_failed_retry_of_several_ends_with_1(call, put, s3):
    s3.put(BUCKET, key(1), log_file(records(1)))
    s3.put(BUCKET, key(2), b"\x1f\x8b broken")
    put(*(entry(ObjectRef(BUCKET, key(at))) for at in (1, 2)))

    result = call("quarantine", "retry", "--reason", "corrupt")

    assert result.code == 1
    assert result.out.count("Delivered ") == result.out.count("was refused again") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param([], "name the entries by ids, by --reason", id="neither"),
        pytest.param(
            ["a", "--reason", "corrupt"],
            "name the entries by ids, by --reason",
            id="both",
        ),
        pytest.param(["--reason", "region"], "nothing was refused as 'region'", id="none"),
    ],
)
def test_a_retry_without_entries_is_a_usage_error(call, put, options, message):
    put(entry(refs("a")[0]))

    answer = call("quarantine", "retry", *options)

    assert (answer.code, message in answer.err) == (64, True)


def test_drop_removes_the_entry_and_leaves_the_message(call, put, sqs, ledger):
    sqs.send("trail", "a message")
    id_ = put(entry(refs("a")[0]))

    result = call("quarantine", "drop", id_[:12])

    assert result == (0, f"Dropped {id_}.\n", "")
    assert ledger.quarantine.entries() == []
    assert sqs.bodies("trail") == ["a message"]
    assert sqs.log() == []  # the queue was not called
