"""Objects on their way into the webhook of InsightIDR, which answers as it likes."""

import asyncio

import pytest

from tests.integration.line.conftest import expected, records
from tests.support import http_stub
from tests.support.http_stub import Reply
from trailcourier import sinks
from trailcourier.aws.network import Network
from trailcourier.reasons import REASONS
from trailcourier.secret import Secret
from trailcourier.sinks.insightidr import Webhook

TAKEN = Reply(204)


class Hook:
    """Answers each record as *answer* says, and keeps what it answered 204 to."""

    def __init__(self):
        self.taken: list[bytes] = []
        self.asked = 0
        self.answer = lambda _: TAKEN
        self.server = http_stub.Server(self._next)

    def _next(self, request):
        self.asked += 1
        answer = self.answer(request.body)
        if answer == TAKEN:
            self.taken.append(request.body)
        return answer

    def ids(self):
        return sorted(each.split(b'"eventID":"')[1].split(b'"')[0].decode() for each in self.taken)


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.server.close()


@pytest.fixture
def world(make, hook):
    url = Secret("env:URL", {"URL": f"{hook.server.url}/v1/noformat/a-token-of-a-log"})
    config = Webhook(
        type="insightidr", way="webhook", url=url, retry_attempts=1, timeout_seconds=0.5
    )
    siem = sinks.open_sink("siem", config, Network())
    yield make(configured_sinks=(siem,))
    siem.close()


async def never():
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(lambda _: Reply(429), "sink-busy", id="429"),
        pytest.param(lambda _: Reply(503), "sink-error", id="503"),
        pytest.param(lambda _: Reply(404), "sink-credentials", id="404"),
        pytest.param(lambda _: never(), "sink-unreachable", id="hanging"),
        pytest.param(lambda _: None, "sink-unreachable", id="resetting"),
    ],
)
def test_an_answer_that_is_no_fault_of_the_records_parks_them_behind_the_sink(
    world, hook, answer, reason
):
    hook.answer = answer
    for at in range(6):
        world.announce(world.put(at))

    world.run()
    asked = hook.asked
    held = world.poll()
    (breaker,) = world.ledger.breakers.list_open()
    hook.answer = lambda _: TAKEN
    for _ in range(4):
        world.pass_time(31)
        world.maintenance()
        world.forward_all()

    assert (breaker.name, breaker.reason, REASONS[reason].breaker) == ("sink:siem", reason, "sink")
    assert "a-token-of-a-log" not in breaker.text
    assert (asked, held) == (5, 0)  # the sixth was not tried, and nothing more was received
    assert hook.ids() == expected(*range(6))
    assert world.waiting() == []


@pytest.mark.parametrize("status", [400, 413])
def test_records_that_are_rejected_are_set_aside_and_all_others_are_taken_once(world, hook, status):
    bad = {b'"5-3"', b'"5-17"'}
    hook.answer = lambda body: Reply(status) if any(each in body for each in bad) else TAKEN
    world.announce(world.put(5, count=20))

    statuses = world.run()

    wanted = [each["eventID"] for each in records(5, 20)]
    assert statuses == ["refused"]
    assert hook.ids() == sorted(set(wanted) - {"5-3", "5-17"})
    (entry,) = world.ledger.quarantine.entries()
    assert entry.reason == "rejected-records"
    assert [(each.sink, each.ordinal, each.event_id) for each in entry.records] == [
        ("siem", 3, "5-3"),
        ("siem", 17, "5-17"),
    ]
    assert world.ledger.breakers.list_open() == []
