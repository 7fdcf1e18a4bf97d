"""What the metrics count is what the ledger counts, object by object."""

import threading
from collections import Counter

import prometheus_client
import pytest
import redis

from tests.integration.line.conftest import BUCKET, FOLDER, key
from tests.support import announcements
from trailcourier.aws.sqs import BatchResult
from trailcourier.line import poll
from trailcourier.line.object_rules import ObjectRules


def objects_counted():
    """Every object that this process has counted, by what became of it as the ledger names it."""
    return Counter(
        {
            ":".join(
                filter(None, ("objects", each.labels["disposition"], each.labels["reason"]))
            ): (each.value)
            for metric in prometheus_client.REGISTRY.collect()
            for each in metric.samples
            if each.name == "trailcourier_objects_total" and each.labels["source"] == "prod"
        }
    )


def s3(*entries):
    """A notification of S3, about our bucket."""
    return announcements.s3(*entries).replace(announcements.BUCKET, BUCKET)


def test_each_object_is_counted_once_for_what_became_of_it(make):
    world = make(rules=ObjectRules(buckets=(BUCKET,)))
    before = objects_counted()
    world.s3.put(BUCKET, key("bad"), b"\x1f\x8b broken")
    world.announce(world.put(1), key("bad"), f"{FOLDER.replace('CloudTrail', 'Config')}/x.json.gz")
    gone = announcements.entry(key(3), "ObjectRemoved:Delete")
    world.put(2)
    world.sqs.send("trail", s3(announcements.entry(key(2)), gone, gone))
    world.announce(key(1))
    world.run()
    world.announce(key(2))
    world.sqs.send("trail", announcements.own(key(4), bucket="somebody-elses"))
    for _ in range(3):  # a refused message comes again, its other objects with it
        world.run()
        world.pass_time(1000)

    counted = {name: by for name, by in world.count().items() if name.startswith("objects:")}
    named = counted.pop("objects:named")
    assert objects_counted() - before == counted
    assert sum(counted.values()) == named
    assert counted["objects:skipped:non-create"] == 2
    assert counted["objects:skipped:already-delivered"] == 2


def settled():
    """Every message that this process has counted, by what became of it."""
    return Counter(
        {
            each.labels["outcome"]: each.value
            for metric in prometheus_client.REGISTRY.collect()
            for each in metric.samples
            if each.name == "trailcourier_messages_settled_total"
            and each.labels["source"] == "prod"
        }
    )


def received():
    labels = {"source": "prod"}
    return prometheus_client.REGISTRY.get_sample_value(
        "trailcourier_messages_received_total", labels
    )


@pytest.fixture
def accounted(world):
    """What became of the messages since the test began, once none is held and all add up."""
    before, came = settled(), received() or 0

    def accounted():
        for _ in range(3):
            world.run()
            world.pass_time(31)
            world.maintenance()
            world.forward_all()
        assert world.ledger.leases.measure_held().oldest is None
        outcomes = settled() - before
        assert outcomes.total() == received() - came
        return outcomes

    return accounted


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (("breakers", "note_success", 0), {"deleted": 3, "not-admitted": 3}),
        (("leases", "admit", 0), {"deleted": 3, "not-admitted": 3}),
        (("leases", "admit", 1), {"deleted": 3, "not-admitted": 2, "held-already": 1}),
        (("sums", "count", 0), {"deleted": 3, "held-already": 3}),
    ],
)
def test_messages_given_back_as_the_ledger_goes_away_add_up(
    world, accounted, monkeypatch, fault, expected
):
    part, method, after = fault
    for at in range(3):
        world.announce(world.put(at))
    real, calls = getattr(getattr(world.ledger, part), method), []

    def gone(*arguments, **options):
        calls.append(arguments)
        if len(calls) > after:
            raise redis.ConnectionError("gone")
        return real(*arguments, **options)

    with monkeypatch.context() as away:
        away.setattr(getattr(world.ledger, part), method, gone)
        with pytest.raises(redis.ConnectionError):
            world.poll()

    assert accounted() == expected


def test_a_message_refused_as_the_ledger_goes_away_is_counted_once(world, accounted, monkeypatch):
    world.sqs.send("trail", "rubbish")
    with monkeypatch.context() as away:
        away.setattr(poll.queue, "back_off", lost_broker)
        with pytest.raises(redis.ConnectionError):
            world.poll()

    outcomes = accounted()

    assert outcomes.pop("refused-before") >= 1
    assert outcomes == {"not-admitted": 1}


def lost_broker(*_arguments, **_options):
    raise redis.ConnectionError("gone")


def test_messages_that_come_while_the_worker_stops_add_up(world, accounted):
    class WhileItReceives(threading.Event):
        looks = 0

        def is_set(self):
            self.looks += 1
            return self.looks > 1

    for at in range(3):
        world.announce(world.put(at))

    world.line.process.stopping = WhileItReceives()
    assert poll.poll(world.line, 0, world.publish) == 3
    assert accounted() == {"deleted": 3, "not-admitted": 3}


def test_messages_given_back_after_a_bug_add_up(world, accounted, monkeypatch):
    for at in range(3):
        world.announce(world.put(at))
    real, calls = poll.admit_or_refuse, []

    def breaks(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise ZeroDivisionError
        return real(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(poll, "admit_or_refuse", breaks)
        with pytest.raises(ZeroDivisionError):
            world.poll()

    assert accounted() == {"deleted": 3, "not-admitted": 2}


def test_a_held_message_that_is_not_understood_when_it_comes_again_adds_up(
    world, accounted, monkeypatch
):
    message = world.announce(world.put(1))
    world.poll()
    work, world.work = world.work, []
    world.sqs.advance(601)
    with monkeypatch.context() as broken:
        broken.setattr(poll, "admit", lambda *_: 1 / 0)
        assert world.poll() == 1
    world.work = work

    assert world.waiting() == [message]
    assert accounted() == {"deleted": 1, "held-already": 1}


def test_a_message_without_a_log_that_the_queue_no_longer_knows_adds_up(
    world, accounted, monkeypatch
):
    world.sqs.send("trail", announcements.text(announcements.S3_TEST))

    def lost(entries):
        return BatchResult((), {}, {id_: "ReceiptHandleIsInvalid" for id_, _ in entries})

    with monkeypatch.context() as broken:
        broken.setattr(world.line.queue, "delete", lost)
        world.poll()
    world.sqs.advance(601)

    assert accounted() == {"discarded": 1, "not-deleted": 1}
