"""A refused object carried again, by whoever asks for it, beside the line of the queue."""

import dataclasses
import json

import pytest

from tests.integration.line.conftest import BUCKET, FOLDER, expected, key, log_file, records
from trailcourier.aws.network import Network
from trailcourier.ledger.admission import NamedObject
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.line.object_rules import ObjectRules
from trailcourier.models import Message, ObjectRef
from trailcourier.observability import log
from trailcourier.operations.retry import retry
from trailcourier.sinks import open_sink
from trailcourier.sinks.stdout import Stdout

BROKEN = b"\x1f\x8b broken"
ELSEWHERE = "copies/of/a/log.json.gz"


@pytest.fixture
def refused(world):
    """A world in which one object was refused, and its entry."""
    world.s3.put(BUCKET, key(1), BROKEN)
    world.announce(key(1))
    assert world.run() == ["refused"]
    return world, world.ledger.quarantine.entries()[0]


def in_all(world):
    """What went in, and what became of it."""
    count = world.count()
    outcomes = ("delivered", "filtered", "refused")
    return count.get("records:in", 0), sum(count.get(f"sink:archive:{o}", 0) for o in outcomes)


def test_a_repaired_object_is_delivered_and_leaves_quarantine(refused):
    world, entry = refused
    world.s3.put(BUCKET, key(1), log_file(records(1)))

    result = retry(world.line, entry)

    assert (result.done, result.text) == (True, f"Delivered s3://{BUCKET}/{key(1)}.")
    assert world.delivered() == expected(1)
    assert world.ledger.quarantine.entries() == []
    assert world.ledger.room.count_in_hand()[:2] == (0, 0)
    assert in_all(world) == (3, 3)


def test_its_message_is_deleted_when_it_comes_again(refused):
    world, entry = refused
    world.s3.put(BUCKET, key(1), log_file(records(1)))
    retry(world.line, entry)
    assert len(world.waiting()) == 1  # a retry has no say over the queue

    world.pass_time(61)
    world.run()

    assert world.waiting() == []
    assert world.delivered() == expected(1)


def test_its_message_need_not_exist_any_more(refused):
    world, entry = refused
    world.s3.put(BUCKET, key(1), log_file(records(1)))
    world.sqs.queues["trail"].held.clear()

    assert retry(world.line, entry).done
    assert world.delivered() == expected(1)


def test_what_is_still_broken_is_refused_again_with_what_to_do(refused):
    world, entry = refused

    result = retry(world.line, entry)

    assert not result.done
    assert result.text.startswith(f"s3://{BUCKET}/{key(1)} was refused again: corrupt: ")
    assert result.text.endswith("`trailcourier quarantine retry`.")
    assert [each.times for each in world.ledger.quarantine.entries()] == [2]


def test_a_retry_leaves_nothing_in_hand_and_disturbs_no_later_one(refused):
    world, entry = refused
    store = world.ledger.store

    retry(world.line, entry)

    assert store.client.keys(f"{store.own}m:retry-*") == []
    # one that was killed midway leaves its stand-in behind
    stand_in = Message(f"retry-{entry.id}", "", "")
    world.ledger.leases.admit(stand_in, [NamedObject(entry.ref)], visibility=0)
    world.s3.put(BUCKET, key(1), log_file(records(1)))
    assert retry(world.line, entry).done
    assert world.delivered() == expected(1)


def test_what_cannot_be_read_now_is_left_to_the_workers(refused):
    world, entry = refused
    world.s3.fault(key(1), code="AccessDenied", times=-1)

    result = retry(world.line, entry)

    assert (result.done, "the workers retry it" in result.text) == (False, True)
    world.s3.heal()
    world.s3.put(BUCKET, key(1), log_file(records(1)))
    world.pass_time(31)
    world.maintenance()
    assert world.forward_all() == ["delivered"]
    assert world.ledger.quarantine.entries() == []


def test_an_object_that_a_worker_has_in_hand_is_left_to_it(refused):
    world, entry = refused
    world.s3.put(BUCKET, key(1), log_file(records(1)))
    client, oid = world.ledger.store.client, entry.id[:24]
    until = world.ledger.store.read_clock() + 30_000
    held = f"{until}|token|task"
    client.set(world.ledger.store.own.encode() + b"c:" + bytes.fromhex(oid), held)

    result = retry(world.line, entry)

    assert (result.done, "A worker is forwarding" in result.text) == (False, True)


def test_what_was_delivered_meanwhile_is_not_sent_again(refused):
    world, entry = refused
    world.s3.put(BUCKET, key(1), log_file(records(1)))
    retry(world.line, entry)

    result = retry(world.line, entry)

    assert (result.done, result.text) == (
        True,
        f"Nothing of s3://{BUCKET}/{key(1)} was left to deliver.",
    )
    assert world.delivered() == expected(1)


def test_a_message_that_was_not_understood_has_nothing_to_retry(world):
    result = retry(world.line, QuarantineEntry("id", "message", "not-understood", "", None, "m1"))

    assert (result.done, "quarantine drop" in result.text) == (False, True)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        pytest.param(ELSEWHERE, {}, {"globs": ("copies/*",)}, id="unknown-key"),
        pytest.param(ELSEWHERE, {}, {"unknown": "read"}, id="unknown-key-read"),
        pytest.param(key(1), {"buckets": ("of-mine",)}, {}, id="bucket-not-allowed"),
    ],
)
def test_a_judgement_is_made_anew_by_the_configuration_of_now(make, name, before, after):
    world = make(rules=ObjectRules(**before))
    world.s3.put(BUCKET, name, log_file(records(1)))
    world.sqs.send("trail", _s3_event(name))
    world.run()
    (entry,) = world.ledger.quarantine.entries()
    now = dataclasses.replace(world.line, rules=ObjectRules(**after))

    still = retry(world.line, entry)
    result = retry(now, entry)

    assert (still.done, result.done) == (False, True)
    assert f"was refused again: {entry.reason}" in still.text
    assert world.delivered() == expected(1)


def test_an_unknown_key_that_cloudtrail_itself_named_is_read_again(world):
    world.s3.put(BUCKET, ELSEWHERE, BROKEN)
    world.announce(ELSEWHERE)
    world.run()
    (entry,) = world.ledger.quarantine.entries()
    world.s3.put(BUCKET, ELSEWHERE, log_file(records(1)))

    assert retry(world.line, entry).done
    assert world.delivered() == expected(1)


def test_an_object_of_a_bucket_no_longer_allowed_is_not_read(refused):
    world, entry = refused
    world.s3.put(BUCKET, key(1), log_file(records(1)))
    reads = world.s3.reads()[key(1)]

    result = retry(dataclasses.replace(world.line, rules=ObjectRules(buckets=("of-mine",))), entry)

    assert "refused again: bucket-not-allowed" in result.text
    assert world.s3.reads()[key(1)] == reads
    assert world.ledger.quarantine.entries()[0].reason == "bucket-not-allowed"


def test_only_the_records_a_sink_refused_are_sent_again(make, capfd):
    def line(limit):
        return {
            "configured_sinks": (
                open_sink("archive", Stdout(type="stdout", max_record_bytes=limit), Network()),
            )
        }

    log.configure("json", "info")  # left alone, structlog writes to standard output
    world = make(**line(1024))
    of = [*records(1, 3), {"eventID": "large", "note": "x" * 2000}, *records(2, 2)]
    world.s3.put(BUCKET, key(1), log_file(of))
    world.announce(key(1))
    assert world.run() == ["refused"]
    (entry,) = world.ledger.quarantine.entries()
    first = capfd.readouterr().out
    before = in_all(world)

    result = retry(dataclasses.replace(world.line, **line(4096)), entry)

    assert result.done
    assert [json.loads(each)["eventID"] for each in first.splitlines()] == [
        each["eventID"] for each in of if each["eventID"] != "large"
    ]
    again = capfd.readouterr().out.splitlines()
    assert [json.loads(each)["eventID"] for each in again] == ["large"]
    assert before == in_all(world) == (6, 6)
    count = world.count()
    assert (count["sink:archive:refused"], count["sink:archive:repaired"]) == (1, 1)


def test_what_a_retry_says_of_a_key_cannot_act_on_a_terminal(world):
    ref = ObjectRef(BUCKET, f"{FOLDER}/\x1b]0;x\x07.json.gz")

    result = retry(world.line, QuarantineEntry("id", "object", "corrupt", "", ref, "m1"))

    assert result.text.isprintable()


def _s3_event(name):
    bucket, item = {"name": BUCKET}, {"key": name, "size": 10}
    entry = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    return json.dumps({"Records": [entry | {"s3": {"bucket": bucket, "object": item}}]})
