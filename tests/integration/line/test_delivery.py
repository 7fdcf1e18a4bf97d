"""One object on its way into several sinks, with everything that may stop it half-way."""

import dataclasses
import time

import pytest

from tests.integration.line.conftest import BUCKET, expected, key, log_file, records
from trailcourier.errors import Fault, Rejected
from trailcourier.line.forward import forward_object
from trailcourier.line.process_limits import ProcessLimits
from trailcourier.operations.retry import retry
from trailcourier.sinks import ConfiguredSink
from trailcourier.sinks.config import DeliverySettings

SETTINGS = DeliverySettings(retry_attempts=1, retry_seconds=0)
CUT_OFF = {"oversize": "refuse", "retry_attempts": 1, "retry_seconds": 0}
CUT = {"oversize": "truncate", "max_record_bytes": 1024}


class Collector:
    """A sink that commits each batch; it may fail, reject or stop the worker on the way."""

    commits = "batch"

    def __init__(self, name="siem"):
        self.name = name
        self.taken: list[bytes] = []
        self.batches: list[int] = []
        self.fail_after: int | None = None
        self.reject: bytes = b""
        self.after_batch = lambda: None

    def start(self, origin):
        return self

    def send(self, batch):
        if self.fail_after is not None and len(self.batches) >= self.fail_after:
            raise Fault("sink-unreachable", "no route", where=self.name)
        if self.reject and any(self.reject in record for record in batch):
            raise Rejected("the sink says no", where=self.name)
        self.taken += batch
        self.batches.append(len(batch))
        self.after_batch()

    def finish(self): ...

    def drop(self): ...

    def close(self): ...


def ids(sink):
    return [record.split(b'"eventID":"')[1].split(b'"')[0].decode() for record in sink.taken]


@pytest.fixture
def siem():
    return Collector()


@pytest.fixture
def world(make, siem):
    configured_sinks = (ConfiguredSink(siem, SETTINGS),)
    return make(configured_sinks=configured_sinks, numbers={"batch_records": 10, "receive_wait": 0})


def again(world):
    """Let what is parked come due, and do it."""
    world.pass_time(31)
    world.maintenance()
    return world.forward_all()


def sums(world, sink="siem"):
    counts = world.count()
    kept = {
        name: counts.get(f"sink:{sink}:{name}", 0) for name in ("delivered", "filtered", "refused")
    }
    if repaired := counts.get(f"sink:{sink}:repaired"):
        kept["repaired"] = repaired
    return counts.get("records:in", 0), kept


def test_records_are_sent_in_order_in_batches(world, siem):
    world.announce(world.put(1, count=25))

    world.run()

    assert ids(siem) == [record["eventID"] for record in records(1, 25)]
    assert siem.batches == [10, 10, 5]


def test_a_sink_that_fails_half_way_goes_on_where_it_was(world, siem):
    siem.fail_after = 2
    world.announce(world.put(1, count=35))

    first = world.run()
    siem.fail_after = None
    second = again(world)

    assert (first, second) == (["parked"], ["delivered"])
    assert ids(siem) == [record["eventID"] for record in records(1, 35)]
    assert sums(world) == (35, {"delivered": 35, "filtered": 0, "refused": 0})


class OneByOne(DeliverySettings):
    """The settings of a sink that accepts one record per request."""

    @property
    def max_records_per_request(self):
        return 1


def test_a_batch_that_goes_record_by_record_keeps_its_claim_however_long_it_takes(make, siem):
    copies = []

    def take_a_while():
        time.sleep(0.1)
        if len(siem.batches) == 30:
            copies.append(world.forward(work, "another task").status)

    siem.after_batch = take_a_while
    configured_sinks = (ConfiguredSink(siem, OneByOne(retry_attempts=1, retry_seconds=0)),)
    process = ProcessLimits(memory=96 << 20, claim=2, stall=1)
    world = make(
        configured_sinks=configured_sinks, process=process, numbers={"claim": 2, "claim_stall": 5}
    )
    world.announce(world.put(1, count=35))
    world.poll()
    (work,) = world.work

    assert world.forward_all() == ["delivered"]
    assert copies == ["pending"]
    assert ids(siem) == [record["eventID"] for record in records(1, 35)]
    assert siem.batches == [1] * 35


def test_progress_counts_input_records_so_another_filter_or_batch_size_loses_nothing(
    make, world, siem
):
    siem.fail_after = 2
    world.announce(world.put(1, count=35))
    world.run()
    siem.fail_after = None

    other = make_like(make, world, siem)
    other.pass_time(31)
    other.maintenance()
    other.forward_all()

    sent = ids(siem)
    assert len(sent) == len(set(sent))
    assert set(sent) >= {f"1-{i}" for i in range(20)} | {f"1-{i}" for i in range(21, 35, 2)}


def drop_even(batch):
    numbers = [int(record.split(b"1-")[1].split(b'"')[0]) for record in batch]
    return ["even" if number % 2 == 0 else None for number in numbers]


def make_like(make, world, siem):
    """Another worker, configured otherwise, on the same ledger."""
    ledger = world.ledger
    line = dataclasses.replace(world.line, ledger=ledger, find_dropping_rules=drop_even)
    return dataclasses.replace(world, line=line, work=[], chords=[])


def test_progress_counts_records_the_filter_drops(make, siem):
    world = make(
        configured_sinks=(ConfiguredSink(siem, SETTINGS),),
        find_dropping_rules=drop_even,
        numbers={"batch_records": 10},
    )
    siem.fail_after = 2
    world.announce(world.put(1, count=35))

    world.run()
    siem.fail_after = None
    again(world)

    assert ids(siem) == [f"1-{at}" for at in range(1, 35, 2)]
    assert sums(world) == (35, {"delivered": 17, "filtered": 18, "refused": 0})


def test_a_content_that_changed_is_sent_from_its_beginning(world, siem):
    siem.fail_after = 1
    world.announce(world.put(1, count=20))
    world.run()
    siem.fail_after, siem.taken = None, []
    world.s3.put(BUCKET, key(1), log_file(records("new", 15)))

    again(world)

    assert ids(siem) == [record["eventID"] for record in records("new", 15)]


def test_a_worker_that_stops_leaves_between_batches_and_the_rest_is_sent_later(world, siem):
    stopping = world.line.process.stopping
    siem.after_batch = stopping.set
    world.announce(world.put(1, count=25))
    world.poll()
    work = world.work.pop()

    left = forward_object(world.line, work, "task-1")
    stopping.clear()
    siem.after_batch = lambda: None
    world.maintenance()
    world.forward_all()

    assert left.status == "pending"
    assert siem.batches == [10, 10, 5]
    assert ids(siem) == [record["eventID"] for record in records(1, 25)]


def test_a_worker_that_stops_while_it_looks_for_a_rejected_record_repeats_nothing(world, siem):
    stopping = world.line.process.stopping
    siem.reject = b'"1-7"'
    siem.after_batch = stopping.set
    world.announce(world.put(1, count=10))
    world.poll()

    left = forward_object(world.line, world.work.pop(), "task-1")
    stopping.clear()
    siem.after_batch = lambda: None
    world.maintenance()
    world.forward_all()

    assert left.status == "pending"
    assert sorted(ids(siem)) == sorted(set(expected(1, count=10)) - {"1-7"})


def test_records_a_sink_rejects_go_to_quarantine_and_all_others_arrive(world, siem):
    siem.reject = b'"1-7"'
    message = world.announce(world.put(1, count=25))

    statuses = world.run()

    entry = world.ledger.quarantine.entries()[0]
    assert statuses == ["refused"]
    assert sorted(ids(siem)) == sorted(set(expected(1, count=25)) - {"1-7"})
    assert (entry.reason, entry.records) == (
        "rejected-records",
        (("siem", 7, "rejected-records: the sink says no", "1-7"),),
    )
    assert sums(world) == (25, {"delivered": 24, "filtered": 0, "refused": 1})
    assert world.waiting() == [message]


def test_a_later_try_sends_only_what_was_rejected(world, siem):
    siem.reject = b'"1-7"'
    world.announce(world.put(1, count=25))
    world.run()
    siem.reject, siem.taken = b"", []

    carried = retry(world.line, world.ledger.quarantine.entries()[0])

    assert carried.done
    assert ids(siem) == ["1-7"]
    assert sums(world) == (25, {"delivered": 24, "filtered": 0, "refused": 1, "repaired": 1})
    assert world.ledger.quarantine.entries() == []


def test_what_is_still_rejected_stays_counted_as_refused(world, siem):
    siem.reject = b'"1-1'
    world.announce(world.put(1, count=15))
    world.run()
    world.announce(world.put(2, count=1))
    world.run()
    world.pass_time(31)
    world.maintenance()
    world.forward_all()  # the last records were rejected: it had to accept another since
    siem.reject, siem.taken = b'"1-12"', []

    carried = retry(world.line, world.ledger.quarantine.entries()[0])

    assert not carried.done
    assert ids(siem) == ["1-1", "1-10", "1-11", "1-13", "1-14"]
    assert sums(world) == (16, {"delivered": 10, "filtered": 0, "refused": 6, "repaired": 5})
    (entry,) = world.ledger.quarantine.entries()
    assert [(each.ordinal, each.event_id) for each in entry.records] == [(12, "1-12")]


def test_a_retry_that_is_interrupted_counts_each_repaired_record_once(world, siem):
    siem.reject = b'3"'
    world.announce(world.put(1, count=25))
    refused = world.run()
    before = sums(world)
    siem.reject, siem.taken = b"", []
    siem.fail_after = len(siem.batches) + 1

    retry(world.line, world.ledger.quarantine.entries()[0])
    half = ids(siem)
    siem.fail_after = None
    again(world)

    assert (refused, half) == (["refused"], ["1-3"])
    assert before == (25, {"delivered": 22, "filtered": 0, "refused": 3})
    assert ids(siem) == ["1-3", "1-13", "1-23"]
    assert sums(world) == (25, {"delivered": 22, "filtered": 0, "refused": 3, "repaired": 3})


def test_a_retry_that_refuses_more_than_before_takes_nothing_off_what_is_counted(make):
    limits = [
        DeliverySettings(max_record_bytes=2000, **CUT_OFF),
        DeliverySettings(max_record_bytes=1100, **CUT_OFF),
    ]
    first = make(configured_sinks=(ConfiguredSink(siem := Collector(), limits[0]),))
    siem.commits = "object"
    long = [{"eventID": f"1-{at}", "pad": "x" * size} for at, size in enumerate((10, 1500, 5000))]
    first.s3.put(BUCKET, key(1), log_file(long))
    first.announce(key(1))
    first.run()
    before = sums(first)
    line = dataclasses.replace(first.line, configured_sinks=(ConfiguredSink(siem, limits[1]),))
    retry(line, first.ledger.quarantine.entries()[0])

    assert before == (3, {"delivered": 2, "filtered": 0, "refused": 1})
    assert sums(first) == before


def test_what_a_bucket_gave_is_as_old_as_its_request_not_as_the_outcome(world, siem):
    world.announce(world.put(1))
    world.announce(world.put(2))
    world.poll()
    one, two = world.work

    def meanwhile():
        siem.after_batch = lambda: None
        world.s3.fault("*", code="AccessDenied", times=-1)
        world.forward(two)

    siem.after_batch = meanwhile
    first = world.forward(one).status

    store = world.ledger.store
    failures = store.client.keys(f"{store.everyone}b:bucket:*:f")
    assert (first, len(failures)) == ("delivered", 2)  # of the account, and of the bucket


def test_after_a_retry_the_message_is_deleted_when_it_comes_again(world, siem):
    world.s3.put(BUCKET, key(1), b"\x1f\x8b broken")
    world.announce(key(1))
    world.run()
    world.s3.put(BUCKET, key(1), log_file(records(1)))

    retry(world.line, world.ledger.quarantine.entries()[0])
    world.pass_time(61)
    world.run()

    assert sorted(ids(siem)) == expected(1)
    assert world.waiting() == []


def test_two_sinks_each_keep_their_own_progress(make):
    siem, lake = Collector("siem"), Collector("lake")
    world = make(
        configured_sinks=(ConfiguredSink(siem, SETTINGS), ConfiguredSink(lake, SETTINGS)),
        numbers={"batch_records": 10},
    )
    lake.fail_after = 1
    world.announce(world.put(1, count=30))

    world.run()
    lake.fail_after = None
    again(world)

    assert ids(siem) == ids(lake) == [record["eventID"] for record in records(1, 30)]
    assert sums(world, "lake") == (30, {"delivered": 30, "filtered": 0, "refused": 0})


def test_an_open_sink_parks_unread_and_closes_with_the_first_success(world, siem):
    siem.fail_after = 0
    for at in range(8):
        world.announce(world.put(at))
    statuses = world.run()
    reads = world.s3.reads()

    siem.fail_after = None
    probe = again(world)
    rest = [status for _ in range(3) for status in again(world)]  # one, two, four

    assert statuses == ["parked"] * 8
    assert len(reads) == 5
    assert (probe, rest) == (["delivered"], ["delivered"] * 7)
    assert sorted(ids(siem)) == expected(*range(8))
    assert world.waiting() == []


def test_a_worker_overtaken_between_two_batches_stops(world, siem):
    client = world.ledger.store.client
    world.announce(world.put(1, count=25))
    world.poll()
    first = world.work.pop()

    def overtake() -> None:
        siem.after_batch = lambda: None
        for claim in client.scan_iter("*:c:*"):
            client.set(claim, "another|task-2")

    siem.after_batch = overtake
    left = forward_object(world.line, first, "task-1")

    assert left.status == "pending"
    assert siem.batches == [10]


def test_an_unforeseen_error_is_parked_as_a_bug_and_says_where(world, siem):
    def surprise() -> None:
        raise ZeroDivisionError("nobody foresaw this")

    siem.after_batch = surprise
    world.announce(world.put(1))

    statuses = world.run()

    assert statuses == ["parked"]
    assert world.count()["parked:internal"] == 1


def test_a_record_cut_to_size_is_counted_for_its_sink(make, siem):
    world = make(configured_sinks=(ConfiguredSink(siem, SETTINGS.model_copy(update=CUT)),))
    long = [each | {"requestParameters": "x" * (2000 * i)} for i, each in enumerate(records(1))]
    world.s3.put(BUCKET, key(1), log_file(long))
    world.announce(key(1))

    world.run()

    assert len(siem.taken) == 3
    assert world.count()["sink:siem:truncated"] == 2
    assert sums(world) == (3, {"delivered": 3, "filtered": 0, "refused": 0})


class Killed(BaseException):
    """The end of the process, as far as the line can tell."""


def test_an_object_that_kills_in_its_second_batch_is_refused_though_files_keep_no_progress(make):
    batches = 0

    def kill(batch):
        nonlocal batches
        batches += 1
        if batches % 2 == 0:
            raise Killed
        return [None] * len(batch)

    world = make(find_dropping_rules=kill, numbers={"batch_records": 10})
    world.announce(world.put("poison", 20))
    world.poll()
    (work,) = world.work
    for _ in range(world.line.numbers.starts_refused):
        with pytest.raises(Killed):
            world.forward(work)
        world.ledger.store.client.delete(*world.ledger.store.client.scan_iter("*:s:prod:c:*"))

    assert world.forward(work).status == "refused"
    (entry,) = world.ledger.quarantine.entries()
    assert entry.reason == "kills-worker"
