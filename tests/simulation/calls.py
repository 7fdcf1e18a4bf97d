"""What must hold of single calls, at the moment they are made."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.simulation.queue import name_of
from tests.simulation.workload import BUCKETS, Name, wanted
from trailcourier.line.work import Work
from trailcourier.models import ObjectRef

SOON = 10_000  # ms in which calls that were begun before are over
PROMPT = 30_000  # ms between a receive and its admission, at most, where nothing hangs
GONE = 60_000  # ms after a lease's visibility in which it is given up, if its message is gone


class Calls:
    """The checks of one world's calls; *fail* takes the check and what was seen."""

    def __init__(self, world: Any, fail: Callable[[str, str], None]) -> None:
        self._world = world
        self._fail = fail
        self._sent = {sent.name: sent for sent in world.plan.workload.sent}
        self._slow = any(host.slow > 1 for host in world.plan.hosts)
        self._steps = any(event.kind == "broker-step" for event in world.plan.events)
        visibility = max(numbers.visibility for numbers in world.plan.configurations)
        self._gone = visibility * 1000 + GONE
        world.sqs.outdated = self._outdated
        world.buckets.opened = self._opened
        world.broker.published = self._published

    def _outdated(self, message: str, receipt: str, what: str) -> None:
        """Of the receipts that the ledger was given the newest is used."""
        world, name = self._world, name_of(message)
        newest = world.witness.admitted.get(name)
        if newest is None or newest.receipt == receipt or world.lost_ledger:
            return
        if newest.receipt != world.sqs.messages[name].receipt:
            return
        if world.schedule.now - max(newest.at, world.struck_until()) > SOON:
            self._fail("receipt", f"{what} of {name} by {receipt}, and {newest.receipt} is known")

    def lease_lost(self, message: str, error: str) -> None:
        """No lease is to be held for longer than SQS allows."""
        world, name = self._world, name_of(message)
        held, admitted = world.sqs.messages.get(name), world.witness.admitted.get(name)
        if error != "InvalidParameterValue" or held is None or admitted is None:
            return
        if admitted.receipt != held.receipt or admitted.at - held.received > PROMPT:
            return
        if not (self._steps or world.lost_ledger):
            self._fail("twelve hours", f"{name} is held for longer than SQS allows")

    def _opened(self, ref: ObjectRef) -> None:
        if ref.bucket not in BUCKETS:
            self._fail("bucket", f"{ref} was opened, and its bucket is not allowed")

    def _published(self, works: Sequence[Work]) -> None:
        for work in works:
            if work.generation > 1:
                self._again(work)
            else:
                self._at_first(work)

    def _again(self, work: Work) -> None:
        """A forward that waits in the broker is not lost."""
        world = self._world
        if self._slow or world.lost_ledger or self._steps:
            return
        for ready, task in world.broker.queues["objects"]:
            each = task.argument
            if (
                (each.message, each.index) == (work.message, work.index)
                and each.generation == work.generation - 1
                and world.struck_until() < ready < world.schedule.now
            ):
                told = f"{work.message}/{work.index} though it waits since {ready / 1000:g} s"
                self._fail("dispatched again", told)

    def _at_first(self, work: Work) -> None:
        """An object is not read again that was delivered before its message was admitted."""
        world = self._world
        told = world.witness.delivered.get(work.name)
        admitted = world.witness.admitted.get(name_of(work.message))
        if told is None or admitted is None or world.lost_ledger or self._steps:
            return
        sent = self._sent[name_of(work.message)]
        name = next((each for each in sent.names if each.url == work.name), None)
        if name is None or not self._is_one(name) or world.struck_until() >= told:
            return
        if told < admitted.at and self._arrived_by(name, told):
            self._fail("redone", f"{work.name} of {work.message} was delivered before")

    def _is_one(self, name: Name) -> bool:
        """Whether *name* means by its etag the only content that there ever is of its key."""
        puts = [(put.bucket, put.key) for put in self._world.plan.workload.puts]
        return name.exact and puts.count((name.bucket, name.key)) == 1

    def _arrived_by(self, name: Name, at: int) -> bool:
        (content,) = self._world.buckets.objects[name.bucket, name.key]
        return all(
            -1 < sink.records.get(record, -1) <= at
            for sink in self._world.sinks
            for record in filter(wanted, content.records)
        )

    def held_for_nothing(self) -> bool:
        """Whether the ledger has leases of messages that were purged or given up by the queue.

        They are given up when the queue says so, which is asked in half of a visibility.
        """
        world = self._world
        gone = world.sqs.gone
        if not gone or world.lost_ledger or world.witness.said["degraded"]:
            return False
        held = [each for each in map(name_of, world.leases()) if each in gone]
        for name in held:
            since = max(gone[name], world.struck_until(), world.progress.calm_since())
            if world.schedule.now > since + self._gone:
                self._fail("lease", f"{name} is held, and the queue has had it no more since "
                           f"{gone[name] / 1000:g} s")  # fmt: skip
                return False
        return bool(held)
