"""Replies that are lost after their script ran: redis-py retries the call by itself."""

import contextlib
import itertools
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.relay import Relay
from tests.support.servers import valkey
from trailcourier.clock import SystemClock
from trailcourier.errors import Fault
from trailcourier.ledger import Ledger, broker
from trailcourier.ledger.admission import NamedObject
from trailcourier.ledger.left_messages import LeftMessage
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.ledger.scopes import breakers_of_fault
from trailcourier.ledger.script import scripts
from trailcourier.ledger.store import content_digest
from trailcourier.ledger.ticks import Ticks
from trailcourier.ledger.workers import Presence
from trailcourier.models import Message, Numbers, ObjectRef, Outcome, QueueLimits

REFS = [ObjectRef("acme-logs", name) for name in "abc"]
OTHERS = [ObjectRef("acme-logs", name) for name in "xyz"]
DELIVERED = Report(
    Outcome("delivered"), etag="e", sums={"records:in": 9}, succeeded=["sink:siem"],
    delivered=content_digest("e"),
)  # fmt: skip
DENIED = Fault("access-denied", "no")
ERROR = Fault("s3-error", "no")


class CuttingRelay(Relay):
    """A relay that drops reply number *cut*, counted from 0, and closes its connection."""

    cut: int | None = None
    answers = 0

    def _exchange(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            speaker = self._next(client, server)
            data = speaker.recv(1 << 20)
            if not data:
                return
            if speaker is server:
                self.answers += 1
                if self.cut is not None and self.answers > self.cut:
                    self.cut = None
                    return
            (server if speaker is client else client).sendall(data)


class Counting(SystemClock):
    """A clock whose tokens are 0, 1, 2, so that two runs make the same calls."""

    def __init__(self) -> None:
        self._count = itertools.count()

    def token(self) -> str:
        return str(next(self._count))


def everything(ledger: Ledger) -> Iterator[object]:
    """Call every script of the ledger; yield each answer that a caller sees."""
    ledger.workers.note_heartbeat("objects@one/1", 8, Presence(roles=("objects",), config="c0ffee"))
    ledger.traces.note("poll")
    yield ledger.workers.list_processes(), ledger.traces.read()
    lease = ledger.poll_lease(0)
    yield lease.take(), lease.renew(), ledger.room.measure(["siem"]), ledger.workers.count_threads()
    message = Message("m", "receipt", "", 1, 0)
    named = [NamedObject(ref) for ref in REFS]
    yield ledger.leases.admit(message, named, visibility=600)
    claims = [
        ledger.claims.claim("m", at, 1, token=f"t{at}", task_id=f"task-{at}", sinks=["siem"])
        for at in range(3)
    ]
    yield [answer.kind for answer in claims]
    first, second, third = (answer.claim for answer in claims)
    assert first
    assert second
    assert third
    ledger.claims.note_progress(first, "e", {"p:siem": 3})
    yield ledger.claims.renew([first, second, third])
    yield ledger.outcomes.write(first, DELIVERED, jitter=1)
    parked = Report(
        Outcome("parked", "access-denied"), breakers=breakers_of_fault("s", DENIED, REFS[1])
    )
    yield ledger.outcomes.write(second, parked, jitter=0)
    yield [(due.index, due.generation) for due in ledger.parked.take_ready(5)]
    yield ledger.outcomes.write(third, Report(Outcome("refused", "corrupt")), jitter=1)
    lost = ledger.redispatch.take_lost(idle=False, keep=False)
    yield lost
    again = ledger.claims.claim("m", 1, 2, token="t9", task_id="task-9", sinks=["siem"])
    yield again.kind, again.claim and ledger.outcomes.write(again.claim, DELIVERED, jitter=1)
    yield ledger.leases.begin_settle(), ledger.leases.judge(["m"]), ledger.leases.take_expiring()
    ledger.leases.note_extended([("m", "receipt", 60)])
    ledger.leases.forget(["m"], "messages:deleted")
    lease.release()
    yield [
        ledger.breakers.count_failure("queue:s", str(at), reason="x", text="y") for at in range(6)
    ]
    yield ledger.breakers.list_open(), ledger.breakers.note_success("queue:s")
    entry = QuarantineEntry("id", "object", "corrupt", "broken", REFS[0], "m")
    ledger.quarantine.put(entry)
    yield (
        ledger.quarantine.get("id") is not None,
        [each.times for each in ledger.quarantine.entries()],
    )
    yield ledger.quarantine.drop("id"), ledger.depth.take_turn(), ledger.mode.note_degraded()
    ledger.depth.note(7, QueueLimits(kept=345_600, receives=10))
    ledger.receives.note(something_new=False)
    ledger.sums.count({"messages:cloudtrail": 1})
    left = LeftMessage("n", "receipt", 1, "acme-logs")
    ledger.left.note([left], {"n": 43_000})
    yield ledger.left.take_full(9), ledger.left.take_recovered(9), ledger.left.count()
    yield ledger.left.total().buckets
    ledger.left.forget([left])
    yield ledger.left.count()
    yield ledger.sums.count_skips("digest", 1), ledger.receives.count_quiet(), ledger.depth.read()
    yield ledger.depth.read_limits(), ledger.leases.measure_held()
    ledger.parked.make_due()
    yield ledger.room.count_in_hand(), ledger.sums.read(), ledger.mode.is_degraded()
    yield from what_is_rare(ledger)


def what_is_rare(ledger: Ledger) -> Iterator[object]:
    """Call the scripts that seldom find anything, in a state where they do."""
    yield ledger.returned.count_refused(QueueLimits(receives=10), first=60, longest=900)
    ledger.store.client.set("trailcourier:1:offset", 0)
    yield ledger.leases.admit(
        Message("full", "receipt", "", 1, 0), [NamedObject(ref) for ref in OTHERS], visibility=600
    )
    for at, ref in enumerate(OTHERS):
        held = ledger.claims.claim("full", at, 1, token=f"f{at}", task_id=f"f{at}", sinks=["siem"])
        assert held.claim
        parked = Report(Outcome("parked", "s3-error"), breakers=breakers_of_fault("s", ERROR, ref))
        yield ledger.outcomes.write(held.claim, parked, jitter=1)
    yield ledger.parked.list_some(5), ledger.sums.read_with_in_hand()
    full = ledger.left.take_full(9)
    yield full
    ledger.left.note(full, {each.message: 43_000 for each in full})
    ledger.leases.forget(["full"], "messages:full")
    yield ledger.leases.admit(
        Message("done", "receipt", "", 1, 0), [NamedObject(REFS[0])], visibility=600
    )
    ledger.store.client.set("trailcourier:1:offset", 301_000)
    yield (
        ledger.left.take_recovered(9),
        ledger.leases.take_finished(since=5),
        ledger.leases.take_expiring(),
    )
    entry = QuarantineEntry("odd", "message", "not-understood", "odd", None, "odd")
    yield ledger.quarantine.set_aside(entry, Message("odd", "receipt", "", 1, 0), tries=1)
    ledger.sums.count_folders({"elsewhere/*": 2})
    yield ledger.sums.read_folders(), ledger.sums.read_skip_run()
    ticks = Ticks(ledger.store)
    yield ticks.send("ticks", "poll", "before", "after"), ticks.age(1_000) > 0
    ledger.breakers.reset("queue:s")
    ledger.breakers.sweep()
    yield ledger.breakers.list_open(), ledger.sums.read()


@pytest.fixture(scope="module")
def relayed() -> Iterator[tuple[CuttingRelay, broker.Client]]:
    with valkey() as running, contextlib.ExitStack() as stack:
        parts = urlsplit(running.url)
        relay = CuttingRelay(parts.port or 0, None, 0.0)
        stack.callback(relay.close)
        url = running.url.replace(f":{parts.port}", f":{relay.port}")
        yield relay, stack.enter_context(broker.connect(url))


def timeless(answer: object) -> str:
    """Return an answer as text, without what differs from run to run."""
    return re.sub(r"\d{13}|age=[\d.]+", "TIME", repr(answer))


def run(relay: CuttingRelay, client: broker.Client, cut: int | None) -> list[str]:
    client.flushall()
    relay.answers, relay.cut = 0, cut
    ledger = Ledger(client, "s", Numbers(parked=2), clock=Counting())
    return [timeless(answer) for answer in everything(ledger)]


def test_every_script_answers_the_same_and_counts_once_when_its_answer_is_lost(relayed):
    relay, client = relayed
    client.ping()
    run(relay, client, None)  # the server knows the scripts now
    uncut = run(relay, client, None)
    asked = relay.answers
    client.script_flush()
    run(relay, client, None)
    names = [script.name for script in scripts()]
    known = client.script_exists(*(script.sha for script in scripts()))
    assert [name for name, asked_for in zip(names, known, strict=True) if not asked_for] == []

    assert asked > 50
    for cut in range(asked):
        assert run(relay, client, cut) == uncut, f"answer {cut} of {asked} was lost"
        assert relay.cut is None
