"""The comparison is tested by damaging outputs on purpose: it must see every kind of damage."""

import gzip
import json

import pytest

from trailcourier.demo import manifest
from trailcourier.demo.manifest import WrittenRecord, compare, dropped_by_default, written_record

BAD = ("logs", "bad.json.gz")


def event(id_, **more):
    return {"eventID": id_, "eventName": "ConsoleLogin", **more}


def line(made):
    return json.dumps(made).encode()


READ = {
    "userIdentity": {"type": "AWSService"},
    "readOnly": True,
    "managementEvent": True,
    "eventSource": "ec2.amazonaws.com",
}
KEPT = [event(f"id-{number}") for number in range(5)]
DROPPED = event("id-dropped", **READ)


@pytest.fixture
def records():
    good = [written_record(line(made), made, "logs", "good.json.gz") for made in [*KEPT, DROPPED]]
    broken = WrittenRecord(
        "id-bad", "0" * 64, filtered=False, bucket=BAD[0], key=BAD[1], damaged=True
    )
    return [*good, broken]


@pytest.fixture
def output(tmp_path):
    """Two files of expected records."""
    (tmp_path / "trail").mkdir()
    (tmp_path / "trail" / "a.ndjson").write_bytes(b"".join(line(e) + b"\n" for e in KEPT[:3]))
    packed = gzip.compress(b"".join(line(e) + b"\n" for e in KEPT[3:]))
    (tmp_path / "trail" / "b.ndjson.gz").write_bytes(packed)
    return tmp_path


def add(output, *lines):
    (output / "c.ndjson").write_bytes(b"".join(each + b"\n" for each in lines))


def counts(tally):
    return {name: getattr(tally, name) for name in tally.__struct_fields__ if name != "problems"}


def test_records_that_arrive_unchanged_are_good(records, output):
    tally = compare(records, output, {BAD})

    assert tally.good
    assert counts(tally) == {
        "written": 7,
        "delivered": 5,
        "filtered": 1,
        "refused": 1,
        "duplicates": 0,
        "lost": 0,
        "extra": 0,
        "altered": 0,
    }


def test_a_record_that_is_missing_is_lost(records, output):
    add(output)
    (output / "trail" / "b.ndjson.gz").write_bytes(gzip.compress(line(KEPT[3]) + b"\n"))

    tally = compare(records, output, {BAD})

    assert (tally.delivered, tally.lost) == (4, 1)
    assert tally.problems == ("lost: id-4",)
    assert not tally.good


def test_without_output_every_record_is_lost(records, tmp_path):
    assert compare(records, tmp_path, {BAD}).lost == 5


def test_a_record_that_comes_twice_is_a_duplicate_and_no_loss(records, output):
    add(output, line(KEPT[0]), line(KEPT[0]))

    tally = compare(records, output, {BAD})

    assert (tally.delivered, tally.duplicates, tally.good) == (5, 2, True)


def test_a_record_written_twice_is_expected_twice(records, output):
    tally = compare([*records, records[0]], output, {BAD})

    assert (tally.written, tally.delivered, tally.lost) == (8, 5, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.replace(b": ", b":"),
        lambda one: one.replace(b"ConsoleLogin", b"ConsoleLogim"),
        lambda one: one + b" ",
    ],
    ids=["spaces", "a-letter", "a-blank"],
)
def test_a_record_with_other_bytes_is_altered(records, output, change):
    changed = change(line(KEPT[0]))
    kept = b"".join(line(e) + b"\n" for e in KEPT[1:3])
    (output / "trail" / "a.ndjson").write_bytes(changed + b"\n" + kept)

    tally = compare(records, output, {BAD})

    assert (tally.delivered, tally.altered, tally.lost) == (4, 1, 0)
    assert tally.problems == ("altered: id-0",)


def test_an_altered_copy_of_a_delivered_record_is_found(records, output):
    add(output, line(KEPT[0]) + b" ")

    tally = compare(records, output, {BAD})

    assert (tally.delivered, tally.altered, tally.lost) == (5, 1, 0)


@pytest.mark.parametrize(
    "strange",
    [line(event("id-of-nobody")), line(DROPPED), b'{"eventID": "id-bad"}', b"no JSON", b"[]"],
    ids=["unknown", "filtered", "of-a-damaged-file", "no-json", "no-event"],
)
def test_an_unexpected_record_is_extra(records, output, strange):
    add(output, strange)

    tally = compare(records, output, {BAD})

    assert (tally.delivered, tally.extra) == (5, 1)
    assert not tally.good


def test_a_truncated_line_is_lost_and_extra(records, output):
    path = output / "trail" / "a.ndjson"
    path.write_bytes(path.read_bytes()[:-20])

    tally = compare(records, output, {BAD})

    assert (tally.delivered, tally.lost, tally.extra) == (4, 1, 1)


def test_a_good_file_that_was_refused_is_a_loss(records, tmp_path):
    tally = compare(records, tmp_path, {BAD, ("logs", "good.json.gz")})

    assert (tally.refused, tally.lost) == (1, 5)


def test_a_damaged_file_that_was_not_refused_is_a_loss(records, output):
    tally = compare(records, output, set())

    assert (tally.refused, tally.lost) == (0, 1)
    assert "bad.json.gz" in tally.problems[0]


def test_unfinished_attempts_are_ignored(records, output):
    (output / ".tries").mkdir()
    (output / ".tries" / "x.ndjson").write_bytes(line(KEPT[0]) + b"\n")

    assert compare(records, output, {BAD}).duplicates == 0


def test_line_breaks_between_tokens_count_as_spaces(output):
    made = event("pretty")
    pretty = json.dumps(made, indent=1).encode()
    add(output, pretty.replace(b"\n", b" "))

    tally = compare([written_record(pretty, made, "logs", "k")], output, set())

    assert (tally.delivered, tally.altered) == (1, 0)


def test_a_summary_of_data_events_is_known_by_its_own_field(tmp_path):
    made = {"eventId": "aggregate"}
    add(tmp_path, line(made))

    assert compare([written_record(line(made), made, "logs", "k")], tmp_path, set()).delivered == 1


def test_a_manifest_is_kept_and_read(records, tmp_path):
    manifest.save(records, tmp_path / "manifest.ndjson")

    assert manifest.load(tmp_path / "manifest.ndjson") == records


@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        ({}, True),
        ({"errorCode": "AccessDenied"}, False),
        ({"readOnly": False}, False),
        ({"readOnly": "true"}, False),
        ({"managementEvent": False}, False),
        ({"eventSource": "kms.amazonaws.com"}, False),
        ({"eventSource": "sts.amazonaws.com"}, False),
        ({"eventSource": None}, False),
        ({"userIdentity": {"type": "AssumedRole", "invokedBy": "ec2.amazonaws.com"}}, False),
        ({"userIdentity": None}, False),
    ],
    ids=[
        "read-by-a-service",
        "error",
        "write",
        "text",
        "data-event",
        "kms",
        "sts",
        "no-source",
        "a-role",
        "nobody",
    ],
)
def test_only_reads_by_services_that_succeed_are_dropped(change, dropped):
    assert dropped_by_default({**READ, **change}) is dropped
