import gzip
import json
from collections import Counter

import msgspec
import pytest

from trailcourier import filters, keys
from trailcourier.demo.manifest import one_line
from trailcourier.demo.simulator import simulate
from trailcourier.demo.traffic import WAYS
from trailcourier.errors import Fault
from trailcourier.notifications import decode


@pytest.fixture(scope="module")
def traffic():
    return simulate(11)


@pytest.fixture(scope="module")
def good(traffic):
    return [f for f in traffic.files if f.records and not f.records[0].damaged]


def test_the_same_seed_gives_the_same_bytes(traffic):
    assert simulate(11) == traffic
    assert simulate(12) != traffic


def test_every_format_comes_by_every_route(traffic):
    assert {(n.kind, n.route) for n in traffic.messages} >= set(WAYS)


def test_files_are_small_mostly_and_large_sometimes(good):
    sizes = sorted(len(file.records) for file in good)

    assert 10 <= sizes[len(sizes) // 2] <= 40
    assert sizes[0] <= 5
    assert sizes[-1] == 400


def test_there_are_files_without_records_plain_ones_and_some_of_two_gzip_members(traffic):
    bodies = [file.body for file in traffic.files]

    assert sum(f.location.key.endswith(".json") and bool(f.records) for f in traffic.files) == 1
    assert any(b[:2] == b"\x1f\x8b" and gzip.decompress(b) == b'{"Records":[]}' for b in bodies)
    assert any(b.count(b"\x1f\x8b\x08\x00\x00\x00\x00\x00") > 1 for b in bodies)


def test_the_manifest_says_what_the_files_hold(good):
    for file in good:
        text = file.body if file.location.key.endswith(".json") else gzip.decompress(file.body)
        held = json.loads(text)["Records"]

        ids = [each.get("eventID") or each["eventId"] for each in held]
        assert ids == [record.id for record in file.records]


def test_events_are_of_many_kinds(good):
    names = Counter()
    for file in good:
        if file.body[:2] == b"\x1f\x8b":
            held = json.loads(gzip.decompress(file.body))["Records"]
            names.update(each.get("eventName", each["eventType"]) for each in held)

    assert len(names) > 20
    assert names["AwsCloudTrailInsight"]
    assert names["AwsAggregatedEvent"]


def test_the_manifest_and_the_filter_agree_on_what_is_dropped(good):
    """The manifest and the filter implement the same rule independently."""
    judge = filters.compile_rules(filters.DEFAULT_RULE)
    for file in good:
        text = file.body if file.location.key.endswith(".json") else gzip.decompress(file.body)
        verdicts = judge(_records(text))

        assert [each is not None for each in verdicts] == [r.filtered for r in file.records]


class Envelope(msgspec.Struct):
    records: list[msgspec.Raw] = msgspec.field(name="Records")


def _records(text):
    return [one_line(bytes(raw)) for raw in msgspec.json.decode(text, type=Envelope).records]


def test_some_records_are_dropped_and_most_are_not(traffic):
    dropped = sum(record.filtered for record in traffic.manifest)

    assert 0.1 < dropped / len(traffic.manifest) < 0.5


def test_a_good_file_has_the_key_of_a_log(good):
    for file in good:
        assert keys.classify(
            file.location.key, accept_any_form=False, unknown="refuse", globs=()
        ) == (
            "read",
            "",
        )


def test_a_file_is_there_before_it_is_announced(traffic):
    there = set()
    for step in traffic.steps:
        if hasattr(step, "location"):
            there.add(step.location.key)
        elif step.kind in {"cloudtrail", "s3", "eventbridge"} and not step.kept_mark:
            assert {ref.key for ref in decode(step.body).objects} <= there


def test_every_file_with_records_is_announced_and_some_twice(traffic, good):
    announced = Counter()
    for message in traffic.messages:
        if message.kind in {"cloudtrail", "s3", "eventbridge"}:
            announced.update(ref.key for ref in decode(message.body).objects)

    assert {file.location.key for file in good} <= announced.keys()
    assert sum(times > 1 for times in announced.values()) >= 5


def test_some_messages_come_twice_and_some_name_several_objects(traffic):
    bodies = Counter(message.body for message in traffic.messages)

    assert any(times > 1 for body, times in bodies.items() if "AWSLogs" in body)
    assert any(body.count("AWSLogs") > 2 for body in bodies)


def test_validation_comes_first(traffic):
    assert [step.kind for step in traffic.steps[:2]] == ["validation", "validation"]


def test_messages_that_announce_no_log_are_recognised(traffic):
    unread = Counter(
        decode(n.body).no_log
        for n in traffic.messages
        if n.kind in {"validation", "s3-test", "aws-config"}
    )

    assert unread == {"cloudtrail-validation": 2, "s3-test-event": 1, "aws-config": 1}


def test_a_message_that_must_stay_contains_its_mark(traffic):
    assert len(traffic.kept_marks) == 6
    for message in traffic.messages:
        assert message.kept_mark in message.body


@pytest.mark.parametrize("shape", ["poison", "subscription"])
def test_a_message_without_a_notification_is_refused(traffic, shape):
    (message,) = [n for n in traffic.messages if n.kind == shape]

    with pytest.raises(Fault):
        decode(message.body)


def test_damaged_files_cannot_be_read(traffic):
    broken = [f for f in traffic.files if f.records and f.records[0].damaged]

    assert len(broken) == 2
    for file in broken:
        with pytest.raises((EOFError, gzip.BadGzipFile)):
            gzip.decompress(file.body)


def test_a_small_simulation_has_records():
    assert simulate(3, files=12).manifest
