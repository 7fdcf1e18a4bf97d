"""The status of a source, read from its ledger."""

import json
import re

import msgspec
import pytest

from tests.support.unit_fleets import NOTED, pulse, well
from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.breakers import Breaker
from trailcourier.ledger.left_messages import EARLY, LeftMessage
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import QuarantineEntry, entry_id
from trailcourier.ledger.scopes import Failing
from trailcourier.ledger.workers import OBJECTS
from trailcourier.models import Message, Numbers, Outcome, QueueLimits
from trailcourier.operations import paused
from trailcourier.operations.source_status import SourceStatus
from trailcourier.operations.status import read_status
from trailcourier.reasons import REASONS

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"
OPEN = rf"circuit breaker open since {TIME} \(\d+ s\)"
PAUSED = rf"are paused: {OPEN}, retried at least every 30 s"

LISTENS = (
    "Check that the sink runs and listens at the address in its settings, and that firewalls and "
    "DNS let this host reach it. Then test it: `trailcourier sink test siem`."
)
SUMS = {
    "records:in": 12,
    "records:filtered:aws-reads": 4,
    "sink:archive:delivered": 7,
    "sink:archive:filtered": 4,
    "sink:archive:refused": 1,
}


def finish(ledger, outcome, *, message="m1", **report):
    admit(ledger, message, refs(message))
    ledger.outcomes.write(claim(ledger, message), Report(outcome, **report), jitter=1.0)


def advice(ledger):
    return read_status(ledger).advice


def test_a_source_that_has_done_nothing_is_well_without_advice(ledger):
    well(ledger)

    found = read_status(ledger)

    assert found == SourceStatus(
        source="prod", messages=0, oldest_seconds=None, in_flight=0, parked=0, quarantined=0,
        workers=8, last_success_seconds=None, records={"in": 0},
        objects={"named": 0, "delivered": 0}, messages_by_outcome={"received": 0}, sinks={},
        advice=[], breakers=[], waits_for=[], problems=[], steps=found.steps,
    )  # fmt: skip
    just_now = pytest.approx(0, abs=2)
    assert found.steps == {"forward": None} | dict.fromkeys(NOTED, just_now)
    assert found.state == "well"


def test_work_in_hand_is_counted(ledger):
    admit(ledger, "m1", refs("a", "b"))
    finish(ledger, Outcome("parked", "archived"), message="m2")

    found = read_status(ledger, depth=5)

    assert (found.depth, found.messages, found.in_flight, found.parked) == (5, 2, 2, 1)


def test_the_outcomes_add_up(ledger):
    finish(ledger, Outcome("delivered"), sums=SUMS)

    found = read_status(ledger)

    assert found.records == {"in": 12, "filtered:aws-reads": 4}
    assert found.objects == {"named": 1, "delivered": 1}
    assert found.messages_by_outcome == {"received": 1}  # and leased: it is not settled
    assert sum(found.sinks["archive"].values()) == found.records["in"]


def test_ages_are_seconds_by_the_ledgers_clock(ledger, pass_time):
    finish(ledger, Outcome("delivered"))
    pass_time(40)
    admit(ledger, "m2", refs("b"))
    pass_time(2)

    found = read_status(ledger)

    assert found.last_success_seconds == pytest.approx(42, abs=1)
    assert found.oldest_seconds == pytest.approx(42, abs=1)  # not settled, so leased


def test_an_open_breaker_pauses_the_source_and_comes_with_advice(ledger, pass_time):
    ledger.breakers.count_failure(
        "sink:archive", "a", reason="sink-full", text="no room left on \x1b[2Jdisk", limit=1
    )
    pass_time(30)

    found = read_status(ledger)

    assert found.state == "paused"
    (breaker,) = found.breakers
    assert (breaker.name, breaker.reason) == ("sink:archive", "sink-full")
    assert breaker.open_seconds == pytest.approx(30, abs=1)
    assert re.fullmatch(
        rf"Deliveries to sink archive {PAUSED}\. Reason sink-full: no room left on \\x1b\[2Jdisk\. "
        r"Make room on the disk the sink writes to, or raise its quota\.",
        found.advice[0],
    )


def test_a_breaker_of_one_host_names_the_host_and_does_not_pause_the_source(ledger):
    well(ledger)
    pulse(ledger, OBJECTS, host="sick")
    here = [Failing("sink:siem", here=True)]
    for at in range(5):
        admit(ledger, f"m{at}", refs(f"o{at}"))
        report = Report(Outcome("parked", "sink-unreachable", "no route"), breakers=here)
        ledger.outcomes.write(claim(ledger, f"m{at}"), report, jitter=1.0, host="sick")

    found = read_status(ledger)

    assert [each.name for each in found.breakers] == ["sink:siem@sick"]
    assert (found.state, found.moves, found.pausing) == ("attention", True, [])
    assert re.fullmatch(
        rf"Deliveries to sink siem on host sick are paused: {OPEN}; other hosts go on\. "
        rf"Reason sink-unreachable: no route\. {re.escape(LISTENS)}",
        found.advice[0],
    )


@pytest.mark.parametrize(
    ("name", "work"),
    [
        ("sink:siem", "Deliveries to sink siem are paused: "),
        ("queue:prod", "Receives from the queue of source prod are paused: "),
        ("queue:prod@h", "Receives from the queue of source prod on host h are paused: "),
        ("credentials:prod", "Receives and reads with the credentials of source prod are paused: "),
        ("bucket:prod:logs", "Reads from bucket logs are paused: "),
        ("bucket:prod:logs/111122223333", "Reads from bucket logs of account 111122223333 are "),
        ("bucket:prod:logs@h", "Reads from bucket logs on host h are paused: "),
        (
            "kms:prod:arn:aws:kms:x:1:key/2",
            "Reads of objects encrypted with arn:aws:kms:x:1:key/2 ",
        ),
        ("delete:prod", "Deletes from the queue of source prod fail: "),
    ],
)
def test_every_kind_of_breaker_says_what_it_pauses(name, work):
    text = paused.describe(Breaker(name, 1_000, "of-next-year", "words"), 3_000, 30.0)

    assert text.startswith(work)
    assert "circuit breaker open since 1970-01-01 00:00:01Z (2 s)" in text
    assert text.endswith("Reason of-next-year: words.")


def test_text_that_ends_in_a_full_stop_does_not_get_another(ledger):
    ledger.breakers.count_failure(
        "sink:siem", "a", reason="of-next-year", text="It is away.", limit=1
    )

    (text,) = advice(ledger)
    assert text.endswith("Reason of-next-year: It is away.")


def test_parked_objects_behind_no_breaker_come_with_cause_and_advice(ledger):
    for message in ("m1", "m2"):
        finish(
            ledger, Outcome("parked", "sink-unreachable", "siem:5999: \x1b[2Jrefused."),
            message=message, breakers=[Failing("sink:siem")],
        )  # fmt: skip
    finish(ledger, Outcome("parked", "archived", "s3://acme-logs/m3: in Glacier"), message="m3")
    well(ledger)
    found = read_status(ledger)

    assert found.state == "attention"
    first, second = found.advice
    assert first == (
        "2 objects are parked (sink-unreachable), for example s3://acme-logs/m1: "
        f"siem:5999: \\x1b[2Jrefused. {LISTENS} Workers retry parked objects."
    )
    assert second == (
        "1 object is parked (archived), s3://acme-logs/m3: in Glacier. "
        f"{REASONS['archived'].advice} Workers retry parked objects."
    )


def test_objects_parked_behind_an_open_breaker_are_described_by_the_breaker_alone(ledger):
    finish(
        ledger, Outcome("parked", "sink-unreachable", "refused"), breakers=[Failing("sink:siem")]
    )
    ledger.breakers.count_failure(
        "sink:siem", "b", reason="sink-unreachable", text="refused", limit=1
    )

    (text,) = advice(ledger)

    assert text.startswith("Deliveries to sink siem are paused")


def test_objects_parked_behind_a_narrower_breaker_are_described_by_the_wider_one_alone(ledger):
    one = [Failing("bucket:prod:acme-logs/111122223333")]
    finish(ledger, Outcome("parked", "access-denied", "no"), breakers=one)
    ledger.breakers.count_failure(
        "bucket:prod:acme-logs", "b", reason="access-denied", text="no", limit=1
    )

    (text,) = advice(ledger)

    assert text.startswith("Reads from bucket acme-logs are paused")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sink:siem", "sink siem (network): siem.example:6514: refused"),
        ("sink:siem@sick", "sink siem on host sick (network): siem.example:6514: refused"),
        ("queue:prod", "its queue (network): siem.example:6514: refused"),
        ("credentials:prod", "its credentials (network): siem.example:6514: refused"),
        ("bucket:prod:logs/1", "bucket logs of account 1 (network): siem.example:6514: refused"),
    ],
)
def test_what_a_source_waits_for_is_a_thing_and_its_error(ledger, name, words):
    ledger.breakers.count_failure(
        name, "a", reason="network", text="siem.example:6514: refused.", limit=1
    )

    assert read_status(ledger).waits_for == [words]


def test_the_advice_about_a_sink_names_it(ledger):
    ledger.breakers.count_failure(
        "sink:siem", "a", reason="sink-unreachable", text="refused", limit=1
    )

    (text,) = advice(ledger)
    assert text.endswith(f"refused. {LISTENS}")


def test_a_breaker_opened_for_a_reason_of_a_newer_version_is_shown_without_advice(ledger):
    ledger.breakers.count_failure("sink:archive", "a", reason="of-next-year", text="words", limit=1)

    (text,) = advice(ledger)
    assert text.endswith("Reason of-next-year: words.")


def test_a_source_is_paused_whatever_else_has_stalled(ledger):
    ledger.breakers.count_failure("sink:siem", "a", reason="network", text="no", limit=1)

    found = read_status(ledger)

    assert (found.state, found.moves) == ("paused", False)
    assert found.problems


@pytest.mark.parametrize(("row", "mentioned"), [(99, False), (100, True)])
def test_a_hundred_skips_in_a_row_are_mentioned(ledger, row, mentioned):
    ledger.sums.count_skips("digest", row)

    assert [each.partition(".")[0] for each in advice(ledger)] == (
        ["The last 100 objects were skipped as digest"] if mentioned else []
    )


def test_a_degraded_source_says_which_permission_is_missing(ledger):
    ledger.mode.note_degraded()

    (text,) = advice(ledger)
    assert "Allow `sqs:ChangeMessageVisibility`" in text


def test_refusals_are_mentioned_with_the_command_that_lists_them(ledger):
    (ref,) = refs("a")
    ledger.quarantine.put(QuarantineEntry("id", "object", "corrupt", "broken", ref))
    well(ledger)

    found = read_status(ledger)

    assert found.quarantined == 1
    assert found.state == "attention"
    assert "`trailcourier quarantine list --source prod`" in found.advice[0]


def test_refused_objects_without_room_are_mentioned(client, ledger):
    small = Ledger(client, "prod", Numbers(quarantine_entries=1, quarantine_remembered=2))
    for ref in refs(*"abcde"):
        small.quarantine.put(QuarantineEntry(entry_id(ref), "object", "corrupt", "broken", ref))

    found = read_status(ledger)

    assert (found.quarantined, found.evicted) == (3, 2)
    texts = [each for each in advice(ledger) if "uarantine" in each]
    assert texts[0].startswith("Quarantine has 3 entries, 2 of them without details because it is")
    assert texts[1].startswith("Quarantine had no room for some refused objects (2 since this")


def test_refused_messages_without_room_are_mentioned(client, ledger):
    small = Ledger(client, "prod", Numbers(quarantine_messages=1))
    for at in range(3):
        foreign = QuarantineEntry(f"e{at}", "message", "not-understood", "no", message=f"m{at}")
        small.quarantine.set_aside(foreign, Message(f"m{at}", "r", ""))

    found = read_status(ledger)

    assert found.forgotten == {"messages": 2}
    assert any(
        each.startswith(
            "Quarantine had no room for some messages that were not understood (2 since this "
            "ledger began). The log names each as message_not_understood."
        )
        for each in found.advice
    )


def test_messages_hidden_in_sqs_are_described_with_their_buckets(ledger):
    well(ledger)
    few = [LeftMessage(f"a{at}", "r", 1, "acme-logs/111122223333") for at in range(3)]
    often = [LeftMessage("b", "r", EARLY + 1, "org-logs/1")]
    ledger.left.note([*few, *often], dict.fromkeys(["a0", "a1", "a2", "b"], 39_600))

    found = read_status(ledger, depth=0)

    assert (found.state, found.moves) == ("attention", True)
    assert found.left.messages == 4
    text = (
        "4 messages are hidden in SQS, because too many objects of the same bucket and account are "
        "parked: acme-logs/111122223333 (3), org-logs/1 (1). Workers release them when the "
        "bucket's breaker closes, or after 5 min while few of its objects are parked; 1 of them, "
        "received more than 3 times, 60 min after they were hidden at the earliest, once no object "
        "of the bucket is parked and one was delivered. SQS shows the last one again within 11 h. "
        "Repair what keeps those objects parked."
    )
    assert found.advice == [text]


def test_of_many_buckets_some_are_named(ledger):
    for at in range(8):
        left = LeftMessage(f"m{at}", "r", 1, f"b{at}/1")
        ledger.left.note([left], {left.message: 100})

    (text,) = [each for each in advice(ledger) if each.startswith("8 messages are hidden")]

    assert "b4/1 (1), 3 more. Workers" in text


def test_folders_of_keys_of_no_known_shape_are_named_with_their_numbers(ledger):
    ledger.sums.count_folders({"AWSLogs/*/Fresh": 3, "copies/*": 40})
    ledger.sums.count_folders({f"f{at}/*": 1 for at in range(60)})
    (ref,) = refs("a")
    ledger.quarantine.put(QuarantineEntry(entry_id(ref), "object", "unknown-key", "a", ref))

    found = read_status(ledger).unknown_folders

    assert list(found.items())[:3] == [("copies/*", 40), ("others", 12), ("AWSLogs/*/Fresh", 3)]
    assert len(found) == 51
    text = next(each for each in advice(ledger) if "no known shape" in each)
    assert (
        "since this ledger began, by folder: copies/* (40), others (12), AWSLogs/*/Fresh (3), f0/*"
        in text
    )


def test_no_age_is_negative_after_the_brokers_clock_was_put_back(ledger, pass_time):
    finish(ledger, Outcome("delivered"))
    ledger.breakers.count_failure("sink:archive", "a", reason="sink-full", text="no", limit=1)
    pass_time(-3600)

    found = read_status(ledger)

    assert (found.last_success_seconds, found.breakers[0].open_seconds) == (0, 0)
    assert found.oldest_seconds == 0


def test_a_queue_whose_depth_is_unknown_is_mentioned_first(ledger):
    found = read_status(ledger, depth_error="The depth is unknown.")

    assert found.depth is None
    assert found.advice[0] == "The depth is unknown."


@pytest.mark.parametrize(
    ("receives", "hours", "expected"),
    [(4, 1, []), (5, 1, ["A message was received 5 of 10 times"]), (1, 48, ["The oldest message"])],
)
def test_half_of_a_limit_of_the_queue_is_mentioned(ledger, pass_time, receives, hours, expected):
    admit(ledger, "m1", refs("a"), receives=receives)
    ledger.depth.note(3, QueueLimits(kept=4 * 86_400, receives=10))
    pass_time(hours * 3600)
    well(ledger)

    found = read_status(ledger)

    assert [" ".join(each.split()[:3]) for each in found.advice] == [
        " ".join(each.split()[:3]) for each in expected
    ]
    assert found.receives == receives
    assert found.patience_used == pytest.approx(
        max(receives > 1 and receives / 10, hours / 96), 0.01
    )


def test_messages_not_received_are_as_old_as_the_last_delivery(ledger, pass_time):
    finish(ledger, Outcome("delivered"))
    ledger.leases.forget(["m1"])
    ledger.depth.note(3, QueueLimits(kept=4 * 86_400, receives=10))
    pass_time(3 * 86_400)
    well(ledger)
    flows = read_status(ledger, depth=3)
    ledger.breakers.count_failure("queue:prod", "a", reason="credentials", text="no", limit=1)

    assert flows.patience_used == 0
    assert read_status(ledger, depth=0).patience_used == 0
    assert read_status(ledger, depth=3).patience_used == pytest.approx(0.75, 0.01)


def test_a_source_with_as_many_objects_in_flight_as_allowed_is_not_well(ledger, pass_time):
    ledger.breakers.note_success("queue:prod")
    admit(ledger, "m", refs("a"))
    assert not any("Nothing was received" in each for each in read_status(ledger).advice)
    pass_time(60)
    well(ledger)
    ledger.claims.renew([claim(ledger, "m")])

    found = read_status(ledger)

    assert found.state == "attention"
    assert "Nothing was received for 60 s: as many objects are in flight" in found.advice[0]


def test_every_key_of_its_json_has_a_description(ledger):
    written = json.loads(msgspec.json.encode(read_status(ledger)))

    described = msgspec.json.schema(SourceStatus)["$defs"]["SourceStatus"]["properties"]
    assert written.keys() == described.keys()
    assert all(each["description"] for each in described.values())
