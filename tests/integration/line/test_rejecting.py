"""A sink that rejects records: of some objects, of one object, or of everything it is sent."""

import threading
import time

import pytest

from tests import http_stub
from tests.http_stub import Reply
from tests.integration.line.conftest import expected
from trailcourier import sinks
from trailcourier.drain import drain
from trailcourier.egress import Egress
from trailcourier.errors import Rejected
from trailcourier.line.carry import carry
from trailcourier.retry import retry
from trailcourier.secret import Secret
from trailcourier.sinks import Outlet
from trailcourier.sinks.insightidr import Webhook
from trailcourier.sinks.terms import Terms

TAKEN = Reply(204)
NO = Reply(422, b"no field \x1b[31m`ts`")
TERMS = Terms(retry_attempts=1, retry_seconds=0)


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
    return sinks.outlet("siem", config, Egress())


@pytest.fixture(params=[1, 100], ids=["one-by-one", "in-batches"])
def world(make, siem, request):
    opened = webhook(siem, request.param)
    yield make(outlets=(opened,))
    opened.close()


def announce(world, names, count=20):
    for name in names:
        world.announce(world.put(name, count))


def again(world):
    """Let what is parked come due, and do it."""
    world.pass_time(31)
    world.tend()
    return world.forward_all()


def until_all_is_delivered(world, rounds=60):
    for _ in range(rounds):
        world.poll()
        world.forward_all()
        if not world.waiting():
            return
        again(world)
    pytest.fail(f"{world.waiting()} wait, {world.count()}")


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

    (breaker,) = world.ledger.breakers.open()
    held = (asked, siem.requests - asked, world.ledger.quarantine.size())
    assert held <= (5 * 5, 20 * 5, 0)
    assert (breaker.name, breaker.reason) == ("sink:siem", "sink-rejects-all")
    assert f"answered {status}, where 204 says accepted: " in breaker.text
    assert "no field" in breaker.text
    assert "\x1b" not in breaker.text
    assert "a-token-of-a-log" not in breaker.text
    assert world.sqs.messages("dead") == []

    siem.repair()
    until_all_is_delivered(world)
    assert siem.ids() == expected(*range(40), count=20)
    told = world.count()
    assert (told["objects:delivered"], told["records:in"]) == (40, 800)
    assert (told["sink:siem:delivered"], told["sink:siem:refused"]) == (800, 0)
    assert not any(name.startswith("objects:refused") for name in told)
    assert world.sqs.messages("dead") == []


def test_objects_that_are_rejected_whole_keep_no_others_from_the_sink(world, siem):
    siem.reject(*(f'"{number}-' for number in range(1, 8)))
    announce(world, range(1, 8))
    for _ in range(3):
        world.run()
        again(world)
    (breaker,) = world.ledger.breakers.open()

    for other in range(10, 20):
        announce(world, [other])
        for _ in range(5):
            world.run()
            again(world)

    assert breaker.reason == "sink-rejects-all"
    assert siem.ids() == expected(*range(10, 20), count=20)
    assert world.count()["objects:refused:rejected-records"] == 7


@pytest.mark.parametrize("count", [1, 2, 20])
def test_an_object_with_none_accepted_is_refused_once_the_sink_accepted_another(world, siem, count):
    siem.reject('"5-')
    announce(world, [5], count)
    first = world.run()
    alone = again(world)
    announce(world, [6])
    other = world.run()
    second = again(world)

    assert (first, alone, other, second) == (["parked"], ["parked"], ["delivered"], ["refused"])
    (entry,) = world.ledger.quarantine.entries()
    assert (entry.reason, entry.records_in_all) == ("rejected-records", count)
    assert [(each.sink, each.ordinal) for each in entry.records] == [
        ("siem", at) for at in range(count)
    ]
    assert all("answered 422" in each.words for each in entry.records)
    told = world.count()
    assert told["records:in"] == 20 + count
    assert (told["sink:siem:delivered"], told["sink:siem:refused"]) == (20, count)


def test_an_object_that_is_tried_again_after_a_success_is_bisected_to_its_end(world, siem):
    good = {0, 7, 8, 13}
    siem.reject('"5-')
    announce(world, [5])
    world.run()
    announce(world, [6])
    world.run()
    siem.reject(*(f'"5-{at}"' for at in range(20) if at not in good))

    statuses = again(world)

    assert statuses == ["refused"]
    assert siem.ids() == sorted([*expected(6, count=20), *(f"5-{at}" for at in good)])
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
def test_an_object_of_which_the_sink_accepts_any_probe_is_refused_at_once_and_exactly(
    world, siem, bad
):
    siem.reject(*(f'"5-{at}"' for at in bad))
    announce(world, [5])

    statuses = world.run()

    assert statuses == ["refused"]
    (entry,) = world.ledger.quarantine.entries()
    assert [each.ordinal for each in entry.records] == bad
    assert siem.ids() == sorted(set(expected(5, count=20)) - {f"5-{at}" for at in bad})
    assert world.ledger.breakers.open() == []


def test_an_object_of_which_only_a_probe_was_accepted_is_refused_at_the_next_try(world, siem):
    siem.reject(*(f'"5-{at}"' for at in range(19)))
    announce(world, [5])
    statuses = world.run()

    if statuses != ["refused"]:  # one by one: too many in a row
        statuses = again(world)

    assert statuses == ["refused"]
    assert siem.ids() == ["5-19"]
    (entry,) = world.ledger.quarantine.entries()
    assert [each.ordinal for each in entry.records] == [*range(19)]
    assert world.count()["sink:siem:refused"] == 19


@pytest.mark.parametrize("together", [1, 100])
@pytest.mark.parametrize("batch", [10, 50, 1000])
def test_a_sink_that_begins_to_reject_everything_in_the_middle_of_an_object_is_soon_left_alone(
    make, siem, batch, together
):
    opened = webhook(siem, together)
    world = make(outlets=(opened,), numbers={"batch_records": batch})
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


def test_a_worker_told_to_stop_after_a_probe_was_accepted_repeats_nothing(make):
    """The last record is accepted ahead of its turn; what lies before it is sent later, alone."""
    bad = {b'"5-0"', b'"5-3"'}
    sink = TwoFaced("siem", lambda record: any(each in record for each in bad))
    stopping = threading.Event()
    sink.after_send = stopping.set
    world = make(outlets=(Outlet(sink, TERMS),))
    announce(world, [5], 10)
    world.poll()

    left = carry(world.line, world.work.pop(), "task-1", stopping)
    accepted = sink.ids()
    sink.after_send = lambda: None
    world.tend()
    statuses = world.forward_all()

    assert (left.status, accepted) == ("pending", ["5-9"])
    assert statuses == ["refused"]
    assert sorted(sink.ids()) == sorted(set(expected(5, count=10)) - {"5-0", "5-3"})
    told = world.count()
    assert told["records:in"] == 10
    assert (told["sink:siem:delivered"], told["sink:siem:refused"]) == (8, 2)


def test_a_success_is_as_old_as_the_last_accepted_batch_not_as_the_outcome(make):
    """One sink accepts, then rejects all, while the other holds an object up for long."""
    siem, slow = TwoFaced("siem"), TwoFaced("slow")
    world = make(outlets=(Outlet(siem, TERMS), Outlet(slow, TERMS)))
    announce(world, [1, 2])
    world.poll()
    one, two = world.work
    world.work = []

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


def test_what_was_rejected_before_is_not_doubted_when_it_is_retried(world, siem):
    siem.reject('"5-3"', '"5-4"')
    announce(world, [5])
    world.run()
    (entry,) = world.ledger.quarantine.entries()

    told = retry(world.line, entry)

    assert "was refused again, as rejected-records" in told.text


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
