"""Each message received, each object named and each record read has exactly one outcome."""

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.line.conftest import BUCKET, key, log_file, records
from tests.support import announcements
from trailcourier.errors import Fault, Rejected
from trailcourier.ledger.sums import by_sink, of_messages, of_objects
from trailcourier.operations.drain import DrainWatch
from trailcourier.operations.retry import retry
from trailcourier.operations.status import read_status
from trailcourier.sinks import ConfiguredSink
from trailcourier.sinks.config import DeliverySettings

SETTINGS = DeliverySettings(retry_attempts=1, retry_seconds=0)
BROKEN = b"\x1f\x8b broken"
OBJECTS = st.integers(0, 3)


class Picky:
    """A sink that takes each batch whole, but for records that it rejects; it may be away."""

    commits = "batch"

    def __init__(self, name):
        self.name = name
        self.rejects: set[bytes] = set()
        self.away = False

    def start(self, origin):
        return self

    def send(self, batch):
        if self.away:
            raise Fault("sink-unreachable", "no route", where=self.name)
        if any(b'"%b"' % bad in record for bad in self.rejects for record in batch):
            raise Rejected("the sink says no", where=self.name)

    def finish(self): ...

    def drop(self): ...

    def close(self): ...


def law(sums, in_hand):
    """What must hold of all that was ever counted, or of one run."""
    flight, parked, leases = in_hand
    assert min(sums.values(), default=0) >= 0, sums
    for counted, total, held in (
        (of_messages(sums), "received", leases),
        (of_objects(sums), "named", flight + parked),
    ):
        assert counted.pop(total) == sum(counted.values()) + held, sums
    for sink in by_sink(sums).values():
        outcomes = sum(sink[name] for name in ("delivered", "filtered", "refused"))
        assert outcomes == sums.get("records:in", 0), sums
        assert sink.get("repaired", 0) <= sink["refused"], sums


def law_of_a_run(drained):
    assert min(drained.messages.values()) >= 0, drained
    assert min(drained.objects.values()) >= 0, drained
    messages, objects = dict(drained.messages), dict(drained.objects)
    assert messages.pop("received") == sum(messages.values()), drained
    assert objects.pop("named") == sum(objects.values()), drained
    for sink in drained.sinks.values():
        outcomes = sum(sink[name] for name in ("delivered", "filtered", "refused"))
        assert outcomes == drained.records["in"], drained
        assert min(sink.values()) >= 0, drained


@pytest.fixture
def siem():
    return Picky("siem")


@pytest.fixture
def world(make, siem):
    configured_sinks = (ConfiguredSink(siem, SETTINGS), ConfiguredSink(Picky("lake"), SETTINGS))
    return make(
        configured_sinks=configured_sinks,
        find_dropping_rules=lambda batch: ["quiet" if b'-0"' in each else None for each in batch],
    )


class Story:
    """One history of a world, step by step."""

    def __init__(self, world, siem):
        self.world, self.siem = world, siem
        world.ledger.store.client.flushall()
        world.sqs.heal()
        world.sqs.create("trail", redrive=("dead", 5))
        world.sqs.queues["dead"].held.clear()
        world.ledger.workers.note_heartbeat("worker", 8)
        world.work.clear()
        siem.rejects, siem.away = set(), False
        for at in range(4):
            world.put(at, 4)
        self.watch = DrainWatch(world.ledger)

    def broken(self, at):
        self.world.s3.put(BUCKET, key(at), BROKEN)

    def repaired(self, at):
        self.world.s3.put(BUCKET, key(at), log_file(records(at, 4)))

    def rewritten(self, at):
        self.world.s3.put(BUCKET, key(at), log_file(records(f"{at}-new", 3)))

    def rejected(self, at, of):
        self.siem.rejects.add(b"%d-%d" % (at, of))

    def accepted(self, at, of):
        self.siem.rejects.discard(b"%d-%d" % (at, of))

    def sink_away(self, at):
        self.siem.away = at % 2 == 0

    def announced(self, at, of):
        self.world.announce(*{key(at): 1, key(of): 1})

    def announced_by_s3(self, at):
        etag = self.world.s3.put(BUCKET, key(at), self.world.s3._objects[BUCKET, key(at)])
        gone = announcements.entry(key(at), "ObjectRemoved:Delete")
        event = announcements.s3(announcements.entry(key(at), eTag=etag), gone)
        self.world.sqs.send("trail", event.replace(announcements.BUCKET, BUCKET))

    def announced_as_foreign(self, at):
        digest = key(at).replace("CloudTrail", "CloudTrail-Digest")
        self.world.announce("somewhere/else.json.gz", digest)
        self.world.sqs.send("trail", announcements.VALIDATION, "no JSON")

    def of_no_shape(self, at):
        name = f"copies/{at}.json.gz"
        etag = self.world.s3.put(BUCKET, name, log_file(records(at, 4)))
        event = announcements.s3(announcements.entry(name, eTag=etag))
        self.world.sqs.send("trail", event.replace(announcements.BUCKET, BUCKET))

    def twice(self, at):
        self.world.sqs.deliver_twice("trail", times=at + 1)

    def received(self, at):
        self.world.poll()

    def carried(self, at):
        for work in self.world.work[: at + 1]:
            self.world.work.remove(work)
            self.world.forward(work)

    def run(self, at):
        self.world.run()

    def later(self, at):
        self.world.pass_time((31, 61, 400, 5000)[at])
        self.world.maintenance()
        self.world.forward_all()

    def lost(self, at):
        self.world.sqs.fail_entries(
            "ChangeMessageVisibilityBatch", code="MessageNotInflight", times=at + 1
        )

    def undeleted(self, at):
        self.world.sqs.fail_entries("DeleteMessageBatch", times=at + 1)

    def retried(self, at):
        for entry in self.world.ledger.quarantine.entries()[: at + 1]:
            retry(self.world.line, entry)

    def dropped(self, at):
        for entry in self.world.ledger.quarantine.entries()[at : at + 1]:
            self.world.ledger.quarantine.drop(entry.id)

    def flushed(self, at):
        if at == 0:
            self.world.ledger.store.client.flushall()
            self.world.ledger.workers.note_heartbeat("worker", 8)

    def drained(self, at):
        law_of_a_run(self.watch.result())
        self.watch = DrainWatch(self.world.ledger)


ONE = ["broken", "repaired", "rewritten", "sink_away", "announced_by_s3", "announced_as_foreign",
       "of_no_shape", "twice", "received", "carried", "run", "run", "later", "later", "lost",
       "undeleted", "retried", "retried", "dropped", "flushed", "drained", "drained"]  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(ONE), OBJECTS),
        st.tuples(st.sampled_from(["announced", "announced", "rejected", "accepted"]),
                  OBJECTS, OBJECTS),
    ),
    min_size=4,
    max_size=24,
)  # fmt: skip


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(steps=STEPS)
def test_every_outcome_is_counted_once_and_none_is_negative(world, siem, steps):
    story = Story(world, siem)

    for name, *how in steps:
        getattr(story, name)(*how)
        law(*world.ledger.sums.read_with_in_hand())
    law_of_a_run(story.watch.result())
    counts = read_status(world.ledger)
    assert counts.objects["named"] >= 0 <= counts.messages_by_outcome["received"]


def outcomes(world, prefix="objects:"):
    found = {n.removeprefix(prefix): by for n, by in world.count().items() if n.startswith(prefix)}
    return {name: by for name, by in found.items() if by}


def test_a_redelivery_of_rejected_records_counts_none_of_them_again(world, siem):
    siem.rejects = {b"1-%d" % at for at in range(1, 4)}
    world.announce(world.put(1, 6))
    world.run()
    before = DrainWatch(world.ledger)

    siem.rejects = set()
    world.announce(key(1))
    world.run()

    drained = before.result()
    assert drained.records == {"in": 0}
    assert drained.sinks["siem"] == {"delivered": 0, "filtered": 0, "refused": 0, "repaired": 3}
    assert (drained.objects, drained.messages) == (
        {"named": 1, "delivered": 1},
        {"received": 1, "deleted": 1},
    )
    assert world.count()["records:in"] == 6


def test_a_message_that_names_an_object_in_quarantine_has_an_outcome(world):
    world.s3.put(BUCKET, key(1), BROKEN)
    for _ in range(2):
        world.announce(key(1))
        world.run()

    assert outcomes(world) == {"named": 2, "refused:corrupt": 1, "refused:quarantined": 1}
    assert outcomes(world, "messages:") == {"received": 2, "left": 2}


def test_a_message_that_is_not_deleted_unread_has_an_outcome_and_comes_again(world):
    world.sqs.send("trail", announcements.VALIDATION)
    world.sqs.fail_entries("DeleteMessageBatch", times=1)

    world.run()
    world.pass_time(601)
    world.run()

    assert outcomes(world, "messages:") == {
        "received": 2,
        "not-deleted": 1,
        "unread:cloudtrail-validation": 1,
    }


def test_a_run_on_a_ledger_that_was_lost_counts_from_there(world):
    world.announce(world.put(1))
    world.run()
    watch = DrainWatch(world.ledger)
    world.ledger.store.client.flushall()
    world.ledger.workers.note_heartbeat("worker", 8)
    watch.progress()
    world.announce(world.put(2))
    world.run()

    drained = watch.result()

    assert drained.objects == {"named": 1, "delivered": 1}
    assert drained.records["in"] == 3


def test_two_messages_of_one_object_that_are_carried_at_once_count_it_once(world):
    world.s3.put(BUCKET, key(1), BROKEN)
    world.announce(key(1))
    world.announce(key(1))
    world.poll()

    workers = [threading.Thread(target=world.forward, args=[work]) for work in world.work]
    for each in workers:
        each.start()
    for each in workers:
        each.join(30)
    world.work.clear()
    for _ in range(3):
        world.pass_time(31)
        world.maintenance()
        world.forward_all()

    assert outcomes(world)["named"] == 2
    assert outcomes(world)["refused:corrupt"] == 1
    law(*world.ledger.sums.read_with_in_hand())
