"""What must hold of the ledger's sums at the end of a run."""

from collections.abc import Callable
from typing import Any

from tests.simulation.workload import wanted
from trailcourier.ledger.sums import of_messages, of_objects

OUTCOMES = {
    "object_parked": "parked:",
    "object_refused": "objects:refused:",
    "object_delivered": "objects:delivered",
}  # what is told of a forward's end, and what counts it
OF_OPERATORS = {"retry", "drop", "look"}


class SumChecks:
    """The checks of one world's sums; *fail* takes the check and what was seen."""

    def __init__(self, world: Any, fail: Callable[[str, str], None]) -> None:
        self._world = world
        self._fail = fail
        self._names = {sent.name: sent for sent in world.plan.workload.sent}

    def check(self) -> None:
        """Compare all sums with what happened."""
        world = self._world
        sums = world.sums()
        for field, value in sums.items():
            if value < 0:
                self._fail("sums", f"{field} is {value}")
        total = sums.get("records:in", 0)
        for sink in world.sinks:
            parts = {
                what: sums.get(f"sink:{sink.name}:{what}", 0)
                for what in ("delivered", "filtered", "refused")
            }
            if sum(parts.values()) != total:
                self._fail("sums", f"{sink.name}: in {total}, and {parts}")
            least, most = self._finished(sink)
            arrived = parts["delivered"] + sums.get(f"sink:{sink.name}:repaired", 0)
            if not world.lost_ledger and not least <= arrived <= most:
                there = f"{least} to {most}" if most > least else most
                self._fail("sums", f"{sink.name} has {there} records, counted are {arrived}")
        self._sum_of_messages(sums)
        self._sums_by_outcome()
        self._told(sums)

    def _finished(self, sink: Any) -> tuple[int, int]:
        """How many records *sink* has of contents that were carried to their end.

        At least, and at most: one that was overwritten, or whose message is not done, may have
        arrived without anybody's knowing.
        """
        progress = self._world.progress
        untold = [*progress.unfinished(), *map(self._names.get, self._world.sqs.purged)]
        untold += [sent for sent in progress.sent if progress.waits.well_since(sent) is None]
        open_ones = {name.url for sent in untold for name in sent.names}
        # a bad message may go back to the queue while the outcome of an object of it was lost
        bad = [sent for sent in progress.sent if not progress.sound(sent)]
        witness = self._world.witness
        open_ones |= {name.url for sent in bad for name in sent.names}.difference(
            witness.delivered, witness.refused
        )
        least = most = 0
        for (bucket, key), contents in self._world.buckets.objects.items():
            for content in contents:
                passes = set(filter(wanted, content.records))
                if all(each.has(each.accepts(passes)) for each in self._world.sinks):
                    most += len(sink.accepts(passes))
                    ended = content is contents[-1] and f"s3://{bucket}/{key}" not in open_ones
                    least += len(sink.accepts(passes)) if ended else 0
        return least, most

    def _sum_of_messages(self, sums: dict[str, int]) -> None:
        world = self._world
        if world.lost_ledger:
            return
        done, counted = world.sqs.deletes, sums.get("messages:deleted", 0)
        if counted > done:
            self._fail("sums", f"{done} deletes succeeded, counted are {counted}")
        given, received = sum(world.sqs.receives.values()), sums.get("messages:received", 0)
        if received > given:
            self._fail("sums", f"{given} messages were given out, counted are {received}")

    def _sums_by_outcome(self) -> None:
        """Each message received and each object named has one outcome, or is in hand."""
        sums, left = self._world.sums(), self._world.left()
        for counted, total, in_hand in (
            (of_messages(sums), "received", left["leases"]),
            (of_objects(sums), "named", left["flight"] + left["parked"]),
        ):
            if counted.pop(total) != sum(counted.values()) + in_hand:
                self._fail("sums", f"{total}, in hand {in_hand}, and {counted}: {sums}")

    def _told(self, sums: dict[str, int]) -> None:
        """What is counted of objects was told, but for what ended before it could tell."""
        world = self._world
        if not {event.kind for event in world.plan.events} <= OF_OPERATORS:
            return  # the broker may be gone when it should answer
        together = max(host.group for host in world.plan.hosts)
        ended = world.kills + sum(
            world.strikes.met[script, kind]
            for script in ("ledger.write_outcome", "ledger.admit_message")
            for kind in ("cut", "crash-after", "half")
        )
        untold = world.witness.said["object_overtaken"] + together * ended
        for event, name in OUTCOMES.items():
            counted = sum(by for field, by in sums.items() if field.startswith(name))
            counted -= sums.get("objects:refused:quarantined", 0) if "refused" in name else 0
            if counted > world.witness.said[event] + untold:
                self._fail(
                    "sums", f"{world.witness.said[event]} times {event}, counted are {counted}"
                )
