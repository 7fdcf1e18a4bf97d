"""How far a run is: what is still to be done, what is overdue, and when nothing is left."""

from collections import Counter
from typing import Any

from tests.simulation.bucket import Content
from tests.simulation.plan import FOR_EVER
from tests.simulation.waits import Waits
from tests.simulation.workload import Name, Sent, wanted

HOUR = 3_600_000 + 1_012_500  # ms; marks are kept to the quarter of an hour
FORGOTTEN = 3_600_000  # ms; only what is left to the queue is hidden for longer
LONGEST_PAUSE = 20_000  # ms between two ticks while nothing can come of any


class Progress:
    """The progress of one world."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.waits = Waits(world.plan)
        self.sent: tuple[Sent, ...] = world.plan.workload.sent
        self._contents = Counter((put.bucket, put.key) for put in world.plan.workload.puts)
        self._sound = {sent.name for sent in self.sent if self._is_sound(sent)}

    def sound(self, sent: Sent) -> bool:
        """Whether a message can be deleted in the end: nothing it names is bad or rewritten."""
        return sent.name in self._sound

    def outdated(self, name: Name) -> bool:
        """Whether *name* means a content that was overwritten, at any time."""
        return name.exact and name.number < self._contents[name.bucket, name.key] - 1

    def _is_sound(self, sent: Sent) -> bool:
        return sent.kind == "unread" or (
            sent.kind == "good" and not any(map(self.outdated, sent.names))
        )

    def arrived(self, name: Name, sent: Sent) -> bool:
        """Whether some content that *name* may mean is in every sink.

        A notice without an etag may mean what was delivered within the hour before it.
        """
        contents = self._world.buckets.objects.get((name.bucket, name.key), [])
        if name.exact:
            return any(map(self._delivered, contents[name.number : name.number + 1]))
        lately = max(0, sent.at - HOUR)
        return any(map(self._delivered, contents[name.number :])) or any(
            self._delivered(content, lately) for content in contents
        )

    def _delivered(self, content: Content, since: int = 0) -> bool:
        if content.fault or content.kills or content.raises:
            return False  # though it may have no record that a sink could lack
        passes = set(filter(wanted, content.records))
        return all(sink.has(passes, since) for sink in self._world.sinks)

    def unfinished(self) -> list[Sent]:
        """The messages that are not where they should be in the end."""
        deleted = self._world.sqs.deleted
        return [
            sent
            for sent in self.sent
            if (sent.name not in deleted if self.sound(sent) else not self._refused(sent))
        ]

    def overdue(self) -> list[str]:
        """Messages that should be done by now."""
        now, last_strike = self._world.schedule.now, self._world.points.last_strike
        if now <= last_strike + self.waits.bound:  # no message is due before that
            return []
        return [
            f"{sent.name} ({sent.kind})"
            for sent in self.unfinished()
            if (due := self._due(sent)) is not None and now > due
        ]

    def done(self) -> bool:
        """Whether nothing is left to happen that a check waits for."""
        if self._world.schedule.now <= self.calm_since():
            return False
        waiting = [sent for sent in self.unfinished() if not self.forgotten(sent)]
        if any(
            self.waits.well_since(sent) is not None and not self.unjudged(sent) for sent in waiting
        ):
            return False
        if self._world.sqs.returning() or self._world.checks.calls.held_for_nothing():
            return False
        left = self._world.left()
        if any(map(self.unjudged, waiting)):
            # `status` shows what is parked, not what is in flight or in the queue again
            return bool(left["parked"]) and not left["flight"] and not self._world.sqs.waiting()
        if waiting:  # for what never mends
            return not left["flight"]
        return not any(left.values()) or self.waits_for_ever(left)

    def waits_for_ever(self, left: dict[str, int]) -> bool:
        """Whether all that is *left* is parked and waits for what never comes.

        An object that an operator retries has no lease.
        """
        events, deleted = self._world.plan.events, self._world.sqs.deleted
        blocked = sum(
            self.waits.well_since(sent) is None
            or (sent.name not in deleted and self.unjudged(sent))
            for sent in self.sent
        )
        retried = any(event.kind == "retry" for event in events)
        for_ever = any(event.lasts == FOR_EVER for event in events)
        only_parked = left["parked"] and not left["flight"] and not left["done"]
        waits = blocked or (retried and for_ever)
        return bool(only_parked and waits) and left["leases"] <= blocked

    def too_late(self) -> bool:
        """Whether everything should be over by now, the ledger empty too."""
        now, calm = self._world.schedule.now, self.calm_since()
        if now <= calm + self.waits.bound:
            return False
        ends = [self._due(sent) or 0 for sent in self.sent]
        return bool(now > max([calm, *ends]) + self.waits.bound)

    def next_tick(self, pause: int) -> int:
        """When beat sends its next tick; later while nothing can come of any."""
        world, now = self._world, self._world.schedule.now
        if world.broker.busy() or any(each.busy for each in world.processes.values()):
            return now + pause
        events = world.plan.events
        moments = [each.at for each in (*self.sent, *events)]
        moments += [event.at + event.lasts for event in events]
        moments += [held.visible for held in world.sqs.messages.values()]
        coming = [at for at in moments if at >= now]
        if len(coming) < len(moments) and any(
            held.visible <= now for held in world.sqs.messages.values()
        ):
            return now + pause
        if any(world.left().values()):
            return now + pause
        return min(max(now + pause, min(coming, default=now)), now + max(pause, LONGEST_PAUSE))

    def calm_since(self) -> int:
        """When the last thing went wrong, or came."""
        return max(self.waits.calm_since(), self._world.points.last_strike)

    def unjudged(self, sent: Sent) -> bool:
        """Whether all that *sent* waits for is what a sink rejects that took nothing else since."""
        since = self._world.points.last_strike
        for event in self._world.plan.events:  # what was rejected before is of no known time
            if event.kind == "broker-step" and event.at <= self._world.schedule.now:
                since = max(since, event.at)
        hosts = [host.name for host in self._world.plan.hosts if host.queue == "objects"]
        held = {
            name.url
            for sink in self._world.sinks
            for name in sent.names
            if name.url in sink.rejected and not sink.judges(since, hosts)
        }
        return bool(held) and all(
            name.url in held or name.fate != "carry"
            or self.outdated(name) or self.arrived(name, sent)
            for name in sent.names
        )  # fmt: skip

    def forgotten(self, sent: Sent) -> bool:
        """Whether a message was left to the queue, and the ledger no longer knows of it.

        It was lost, or its clock has passed the time at which the message comes back: it does so by
        itself, after half a day at most.
        """
        held = self._world.sqs.messages.get(sent.name)
        hidden = held is not None and held.visible > self._world.schedule.now + FORGOTTEN
        now = self._world.schedule.now
        passed = any(
            event.kind == "broker-step" and int(event.how) > 0 and event.at <= now
            for event in self._world.plan.events
        )
        return hidden and (self._world.lost_ledger or passed)

    def _due(self, sent: Sent) -> int | None:
        if self.unjudged(sent) or self.forgotten(sent):
            return None
        denied = ("queue.extend", "denied") in self._world.strikes.met
        return self.waits.due(sent, self._world.points.last_strike, denied=denied)

    def _refused(self, sent: Sent) -> bool:
        """Whether a message that cannot be deleted has been said to be refused, and why."""
        sqs = self._world.sqs
        if (
            sent.name in sqs.deleted
            or sent.name in sqs.dead
            or sent.name in self._world.witness.quarantined
        ):
            return True
        if sent.kind in ("foreign", "raises"):
            return sent.name in self._world.witness.refused
        return sqs.receives[sent.name] > 0 and all(
            name.fate == "skip"
            or self.arrived(name, sent)
            # one that can be carried may have been refused as another message means it
            or (
                name.url in self._world.witness.refused
                and (name.fate != "carry" or self.outdated(name))
            )
            for name in sent.names
        )
