"""A sink that rejects records: of some objects, of one object, or of everything it is sent."""

import threading
import time

import pytest

from tests.integration.line.conftest import expected
from tests.support import http_stub
from tests.support.http_stub import Reply
from trailcourier import sinks
from trailcourier.aws.network import Network
from trailcourier.errors import Rejected
from trailcourier.line.forward import forward_object
from trailcourier.operations.drain import drain
from trailcourier.operations.retry import retry
from trailcourier.secret import Secret
from trailcourier.sinks import ConfiguredSink
from trailcourier.sinks.config import DeliverySettings
from trailcourier.sinks.insightidr import Webhook

TAKEN = Reply(204)
NO = Reply(422, b"no field \x1b[31m`ts`")
SETTINGS = DeliverySettings(retry_attempts=1, retry_seconds=0)


class Siem:
    """An HTTP end that answers each request as *answer* says, and keeps what it accepted."""

    def __init__(self):
        self.requests = 0
        self.taken: list[bytes] = []
        self.answer = lambda _: TAKEN
        self.server = http_stub.Server(self._next)

    def _next(self, request):
        self.requests += 1
        answer = self.answer(request.body)
        if answer == TAKEN:
            self.taken += request.body.split(b"\n")
        return answer

    def reject(self, *texts, reply=NO):
        self.answer = lambda body: reply if any(each.encode() in body for each in texts) else TAKEN

    def repair(self):
        self.answer = lambda _: TAKEN

    def ids(self):
        return sorted(each.split(b'"eventID":"')[1].split(b'"')[0].decode() for each in self.taken)


@pytest.fixture
def siem():
    made = Siem()
    yield made
    made.server.close()


def webhook(siem, together):
    url = Secret("env:URL", {"URL": f"{siem.server.url}/a-token-of-a-log"})
    config = Webhook(
        type="insightidr", way="webhook", url=url, retry_attempts=1, request_records=together
    )
    return sinks.open_sink("siem", config, Network())


@pytest.fixture(params=[1, 100], ids=["one-by-one", "in-batches"])
def world(make, siem, request):
    opened = webhook(siem, request.param)
    yield make(configured_sinks=(opened,))
    opened.close()


def announce(world, names, count=20):
    for name in names:
        world.announce(world.put(name, count))


def again(world):
    """Let what is parked come due, and do it."""
    world.pass_time(31)
    world.maintenance()
    return world.forward_all()


def until_all_is_delivered(world, rounds=60):
    for _ in range(rounds):
        world.poll()
        world.forward_all()
        if not world.waiting():
            return
        again(world)
    pytest.fail(f"{world.waiting()} wait, {world.count()}")


def until_refused(world, rounds):
    """Try what is parked again after another object was accepted; answers how often it took."""
    for at in range(rounds):
        announce(world, [100 + at], 1)
        world.run()
        for _ in range(20):  # it is tried more and more seldom
            if statuses := again(world):
                break
        if statuses == ["refused"]:
            return at + 1
    pytest.fail(f"not refused: {world.count()}")


def of_five(siem):
    """Those that it accepted of object 5."""
    return [each for each in siem.ids() if each.startswith("5-")]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_sink_that_rejects_everything_is_parked_and_refuses_nothing(world, siem, status):
    siem.answer = lambda _: Reply(status, b"no field \x1b[31m`ts`")
    announce(world, range(40))
    for _ in range(5):
        world.run()
    asked = siem.requests
    for _ in range(20):  # ten minutes of probes
        again(world)
        world.run()

    (breaker,) = world.ledger.breakers.list_open()
    held = (asked, siem.requests - asked, world.ledger.quarantine.count())
    assert held <= (5 * 5, 20 * 5, 0)
    assert (breaker.name, breaker.reason) == ("sink:siem", "sink-rejects-all")
    assert f"answered {status} instead of 204: " in breaker.text
    assert "no field" in breaker.text
    assert "\x1b" not in breaker.text
    assert "a-token-of-a-log" not in breaker.text
    assert world.sqs.messages("dead") == []

    siem.repair()
    until_all_is_delivered(world)
    assert siem.ids() == expected(*range(40), count=20)
    counts = world.count()
    assert (counts["objects:delivered"], counts["records:in"]) == (40, 800)
    assert (counts["sink:siem:delivered"], counts["sink:siem:refused"]) == (800, 0)
    assert not any(name.startswith("objects:refused") for name in counts)
    assert world.sqs.messages("dead") == []


def test_objects_that_are_rejected_whole_keep_no_others_from_the_sink(world, siem):
    siem.reject(*(f'"{number}-' for number in range(1, 8)))
    announce(world, range(1, 8))
    for _ in range(3):
        world.run()
        again(world)
    (breaker,) = world.ledger.breakers.list_open()

    others = range(10, 40)
    for other in others:
        announce(world, [other])
        for _ in range(5):
            world.run()
            again(world)

    assert breaker.reason == "sink-rejects-all"
    assert siem.ids() == expected(*others, count=20)
    assert world.count()["objects:refused:rejected-records"] == 7


@pytest.mark.parametrize(("count", "rounds"), [(1, 1), (2, 1), (20, 3), (500, 7)])
def test_an_object_with_none_accepted_is_refused_once_the_sink_accepted_others(
    world, siem, count, rounds
):
    siem.reject('"5-')
    announce(world, [5], count)
    first = world.run()
    alone = again(world)
    took = until_refused(world, rounds)

    assert (first, alone) == (["parked"], ["parked"])
    assert world.ledger.breakers.list_open() == []
    (entry,) = world.ledger.quarantine.entries()
    assert (entry.reason, entry.records_in_all) == ("rejected-records", count)
    assert [(each.sink, each.ordinal) for each in entry.records] == [
        ("siem", at) for at in range(len(entry.records))
    ]
    assert all("answered 422" in each.words for each in entry.records)
    counts = world.count()
    assert counts["records:in"] == took + count
    assert (counts["sink:siem:delivered"], counts["sink:siem:refused"]) == (took, count)


def test_an_object_that_is_tried_again_after_a_success_is_bisected_to_its_end(world, siem):
    good = {0, 7, 8, 13}
    siem.reject('"5-')
    announce(world, [5])
    world.run()
    announce(world, [6])
    world.run()
    siem.reject(*(f'"5-{at}"' for at in range(20) if at not in good))

    again(world)
    accepted = of_five(siem)
    until_refused(world, 2)

    assert accepted == of_five(siem) == sorted(f"5-{at}" for at in good)
    (entry,) = world.ledger.quarantine.entries()
    assert [each.ordinal for each in entry.records] == sorted(set(range(20)) - good)


def test_a_success_that_other_failures_followed_proves_nothing(world, siem):
    siem.reject('"5-')
    announce(world, [5])
    world.run()
    announce(world, [6])
    world.run()
    siem.answer = lambda _: NO
    announce(world, [7])
    world.run()
    before = siem.requests

    statuses = again(world)

    assert statuses == ["parked", "parked"]
    assert siem.requests - before <= 10
    assert world.ledger.quarantine.entries() == []


@pytest.mark.parametrize("bad", [[0], [19], [0, 19], [0, 1, 19], [*range(16)], [*range(1, 16)]])
def test_an_object_of_which_the_sink_accepts_any_probe_is_refused_exactly(world, siem, bad):
    siem.reject(*(f'"5-{at}"' for at in bad))
    announce(world, [5])

    statuses = world.run()
    if statuses == ["parked"]:  # one by one: it accepted nothing after the last record
        assert bad[-1] == 19
        announce(world, [6])
        world.run()
        statuses = again(world)
        siem.taken = [each for each in siem.taken if b'"6-' not in each]

    assert statuses == ["refused"]
    (entry,) = world.ledger.quarantine.entries()
    assert [each.ordinal for each in entry.records] == bad
    assert siem.ids() == sorted(set(expected(5, count=20)) - {f"5-{at}" for at in bad})
    assert world.ledger.breakers.list_open() == []


def test_an_object_of_which_only_a_probe_was_accepted_is_refused_in_a_few_tries(world, siem):
    siem.reject(*(f'"5-{at}"' for at in range(19)))
    announce(world, [5])

    world.run()
    until_refused(world, 3)

    assert of_five(siem) == ["5-19"]
    (entry,) = world.ledger.quarantine.entries()
    assert [each.ordinal for each in entry.records] == [*range(19)]
    assert world.count()["sink:siem:refused"] == 19


@pytest.mark.parametrize("together", [1, 100])
@pytest.mark.parametrize("batch", [10, 50, 1000])
def test_a_sink_that_begins_to_reject_everything_in_the_middle_of_an_object_is_soon_left_alone(
    make, siem, batch, together
):
    opened = webhook(siem, together)
    world = make(configured_sinks=(opened,), numbers={"batch_records": batch})
    siem.answer = lambda body: TAKEN if len(siem.taken) < 100 else NO
    announce(world, [5], 500)

    first = world.run()
    asked = siem.requests
    siem.repair()
    second = again(world)
    opened.close()

    assert (first, second) == (["parked"], ["delivered"])
    assert asked <= 100 / together + 35
    assert siem.ids() == expected(5, count=500)
    assert world.count()["sink:siem:delivered"] == 500


@pytest.mark.parametrize("batch", [1, 10, 19, 1000])
@pytest.mark.parametrize("left", [1, 2, 10])
def test_the_last_records_are_not_refused_by_a_sink_that_begins_to_reject_everything(
    make, siem, batch, left
):
    opened = webhook(siem, 1)
    world = make(configured_sinks=(opened,), numbers={"batch_records": batch})
    siem.answer = lambda body: TAKEN if len(siem.taken) < 20 - left else NO
    announce(world, [5])

    first = world.run()
    siem.repair()
    second = again(world)
    opened.close()

    assert (first, second) == (["parked"], ["delivered"])
    assert siem.ids() == expected(5, count=20)
    assert world.ledger.quarantine.entries() == []


def test_objects_whose_last_records_are_rejected_vouch_for_each_other(world, siem):
    """What it accepts of one shows that the others' last records are at fault."""
    siem.reject('-19"')
    announce(world, range(10))
    for _ in range(20):
        world.run()
        again(world)

    assert world.ledger.breakers.list_open() == []
    assert world.count()["objects:refused:rejected-records"] >= 9  # the last one has no other yet
    assert len(siem.taken) == 190


@pytest.mark.parametrize("together", [1, 100])
@pytest.mark.parametrize("until", range(1, 6))
def test_no_record_is_refused_by_a_sink_that_recovers_in_the_middle_of_an_object(
    make, siem, until, together
):
    opened = webhook(siem, together)
    world = make(configured_sinks=(opened,))
    siem.answer = lambda _: NO if siem.requests <= until else TAKEN
    announce(world, [5])

    statuses = world.run()
    if statuses == ["parked"]:
        statuses = again(world)
    opened.close()

    assert statuses == ["delivered"]
    assert siem.ids() == expected(5, count=20)


@pytest.mark.parametrize("batch", [1, 2, 3, 10])
def test_a_rejected_record_at_the_end_of_a_batch_is_confirmed_by_the_next_one(make, siem, batch):
    opened = webhook(siem, 1)
    world = make(configured_sinks=(opened,), numbers={"batch_records": batch})
    siem.reject('"5-1"', '"5-9"', '"5-11"')
    announce(world, [5])

    statuses = world.run()
    opened.close()

    assert statuses == ["refused"]
    (entry,) = world.ledger.quarantine.entries()
    assert [each.ordinal for each in entry.records] == [1, 9, 11]
    assert siem.ids() == sorted(set(expected(5, count=20)) - {"5-1", "5-9", "5-11"})
    counts = world.count()
    assert (counts["sink:siem:delivered"], counts["sink:siem:refused"]) == (17, 3)


class TwoFaced:
    """A sink that commits each batch and rejects what *bad* says; after_send may do anything."""

    commits = "batch"

    def __init__(self, name, bad=lambda record: False):
        self.name, self.bad, self.taken = name, bad, []
        self.after_send = lambda: None

    def start(self, origin):
        return self

    def send(self, batch):
        if any(self.bad(record) for record in batch):
            raise Rejected("no", where=self.name)
        self.taken += batch
        self.after_send()

    def finish(self): ...

    def drop(self): ...

    def close(self): ...

    def ids(self):
        return [record.split(b'"eventID":"')[1].split(b'"')[0].decode() for record in self.taken]


def test_a_worker_asked_to_stop_after_a_probe_was_accepted_repeats_nothing(make):
    """The last record is accepted ahead of its turn; what lies before it is sent later, alone."""
    bad = {b'"5-0"', b'"5-3"'}
    sink = TwoFaced("siem", lambda record: any(each in record for each in bad))
    world = make(configured_sinks=(ConfiguredSink(sink, SETTINGS),))
    stopping = world.line.process.stopping
    sink.after_send = stopping.set
    announce(world, [5], 10)
    world.poll()

    left = forward_object(world.line, world.work.pop(), "task-1")
    stopping.clear()
    accepted = sink.ids()
    sink.after_send = lambda: None
    world.maintenance()
    statuses = world.forward_all()

    assert (left.status, accepted) == ("pending", ["5-9"])
    assert statuses == ["refused"]
    assert sorted(sink.ids()) == sorted(set(expected(5, count=10)) - {"5-0", "5-3"})
    counts = world.count()
    assert counts["records:in"] == 10
    assert (counts["sink:siem:delivered"], counts["sink:siem:refused"]) == (8, 2)


def two_received(world):
    """The work of two objects of one record each; what comes of them is up to the test."""
    announce(world, [1, 2], 1)
    world.poll()
    one, two = world.work
    world.work = []
    return one, two


def test_a_success_is_as_old_as_the_last_accepted_batch_not_as_the_outcome(make):
    """One sink accepts, then rejects all, while the other holds an object up for long."""
    siem, slow = TwoFaced("siem"), TwoFaced("slow")
    world = make(configured_sinks=(ConfiguredSink(siem, SETTINGS), ConfiguredSink(slow, SETTINGS)))
    one, two = two_received(world)

    def hold_up():
        slow.after_send = lambda: None
        siem.bad = lambda record: True
        world.forward(two)
        time.sleep(0.5)  # more than a busy machine takes to write an outcome

    slow.after_send = hold_up
    first = world.forward(one).status
    second = again(world)

    assert (first, second) == ("delivered", ["parked"])
    assert world.ledger.quarantine.entries() == []


def test_a_success_is_as_old_as_the_request_not_as_its_answer(make):
    siem = TwoFaced("siem")
    world = make(configured_sinks=(ConfiguredSink(siem, SETTINGS),))
    one, two = two_received(world)

    def hold_up():
        siem.after_send = lambda: None
        siem.bad = lambda record: True
        world.forward(two)
        time.sleep(0.05)  # the ledger's clock tells milliseconds

    siem.after_send = hold_up
    first = world.forward(one).status
    second = again(world)

    assert (first, second) == ("delivered", ["parked"])
    assert world.ledger.quarantine.entries() == []


def test_a_success_is_no_younger_where_its_outcome_is_written_late(make, monkeypatch):
    siem = TwoFaced("siem")
    world = make(configured_sinks=(ConfiguredSink(siem, SETTINGS),))
    one, two = two_received(world)

    def late(where):
        if where == "before-outcome":
            monkeypatch.undo()
            siem.bad = lambda record: True
            world.pass_time(2)
            world.forward(two)
            world.pass_time(3)

    monkeypatch.setattr("trailcourier.line.forward.failpoint", late)
    first = world.forward(one).status
    second = again(world)

    assert (first, second) == ("delivered", ["parked"])
    assert world.ledger.quarantine.entries() == []


def test_what_a_filter_drops_is_not_taken_for_accepted(make):
    siem = TwoFaced("siem", lambda record: True)
    world = make(
        configured_sinks=(ConfiguredSink(siem, SETTINGS),),
        find_dropping_rules=lambda batch: ["quiet" if b'-0"' in each else None for each in batch],
    )
    announce(world, [1])
    failing = []
    for _ in range(3):
        world.ledger.breakers.reset("sink:siem")
        world.run() or again(world)
        failing += world.ledger.store.client.smembers(f"{world.ledger.store.everyone}failing")

    assert failing == [b"sink:siem"] * 3


def test_a_sink_that_keeps_whole_objects_has_accepted_one_when_it_is_finished(make, siem):
    archive, opened = TwoFaced("archive"), webhook(siem, 100)
    archive.commits = "object"
    world = make(configured_sinks=(ConfiguredSink(archive, SETTINGS), opened))
    siem.answer = lambda _: NO
    announce(world, [1])
    world.run()
    before = accepted_at(world, "archive")
    siem.repair()
    again(world)
    opened.close()

    assert before is None
    assert accepted_at(world, "archive")


def accepted_at(world, sink):
    """When the ledger last heard of a success of *sink*."""
    store = world.ledger.store
    return store.client.hget(f"{store.everyone}ok", f"sink:{sink}")


def test_what_was_rejected_before_is_not_doubted_when_it_is_retried(world, siem):
    siem.reject('"5-3"', '"5-4"')
    announce(world, [5])
    world.run()
    (entry,) = world.ledger.quarantine.entries()

    result = retry(world.line, entry)

    assert "was refused again: rejected-records" in result.text


def test_a_drain_that_holds_only_such_objects_says_what_the_sink_answered(world, siem):
    siem.answer = lambda _: NO
    announce(world, [1, 2])
    world.run()

    result = drain(
        [world.ledger], timeout=0.3, stopping=threading.Event(), watched=lambda looks: None
    )

    assert not result.sources[0].drained
    assert "2 parked objects" in result.why
    assert "sink-rejects-all" in result.why
    assert "answered 422" in result.why
    assert "trailcourier sink test siem" in result.why
