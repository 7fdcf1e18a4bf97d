"""What must hold of every run, from what the simulated parts saw and not from the ledger's sums."""

from collections import defaultdict
from typing import Any, NamedTuple

from tests.simulation.calls import Calls
from tests.simulation.sums import SumChecks
from tests.simulation.workload import Name, wanted
from tests.simulation.world import LOOK
from trailcourier.ledger.left_messages import EARLY

SILENT = 60_000  # ms without a receive after which `status` says why
ASK = 10_000  # ms between two questions to `status` meanwhile
POLLS = 2000  # ms after a tick until the poll it stands for has asked the queue
CALM = 90_000  # ms after the last strike, when nothing stands still any more
SHOWN = frozenset({"stands still", "not delivered"})
UNHEARD = ("freeze", "crash")  # strikes that keep a process from its heartbeats
LATER = 7_200_000  # ms after which keys that live for a moment are gone, a clock set back or not


class Failure(NamedTuple):
    """One thing that must not be; *kind* says which check, *told* what in particular."""

    kind: str
    told: str


class Checks:
    """The checks of one world: some at the moment of a delete, the others at the end."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.failures: list[Failure] = []
        self._names = {sent.name: sent for sent in world.plan.workload.sent}
        world.sqs.watch = self._deleting
        world.watched = self._watching
        self.calls = Calls(world, self._fail)
        self._silent = 0  # since when nothing is received, and `status` tells no reason

    def _fail(self, kind: str, told: str) -> None:
        self.failures.append(Failure(kind, told))
        world = self._world
        world.history.add(world.schedule.now, "check", f"! {kind}", told)

    # 1. no loss

    def _deleting(self, message: str) -> None:
        sent = self._names[message]
        if sent.kind in ("foreign", "raises"):
            self._fail("loss", f"{message} was deleted, and it was not understood")
        for name in sent.names:
            if name.fate in ("carry", "refuse") and not self._world.progress.arrived(name, sent):
                self._fail("loss", f"{message} was deleted, and not all of {name.url} had arrived")

    # 5. displays

    def _watching(self) -> None:
        """`status` may not go on saying "well" while nothing is received and messages wait.

        What kept the line from receiving may have ended just now, so it may say so until the next
        tick is over.
        """
        world, now = self._world, self._world.schedule.now
        if not world.sqs.waiting():
            self._silent = now
        self._silent = max(self._silent, world.sqs.asked, world.broker_away, world.started)
        silence = now - self._silent
        if silence < ASK or (silence % ASK >= LOOK and silence < SILENT):
            return
        found = world.standing()
        if found is None or found.state != "well":
            self._silent = now
        elif silence > SILENT + world.plan.ticks + POLLS:
            self._silent = now
            self._fail("display", f"well, and nothing was received for {silence / 1000:g} s")

    def _displays(self) -> None:
        """What fails is shown; what is well is not called anything else for ever."""
        world = self._world
        found = world.standing()
        if found is None:
            self._fail("display", "status fails although the broker is there")
        elif found.state == "well" and (
            any(each.kind in SHOWN for each in self.failures)
            or any(map(world.progress.unjudged, world.progress.unfinished()))
        ):
            self._fail("display", "well, although it is not")
        elif world.settled and found.problems and world.calm_for() > CALM:
            self._fail("display", "; ".join(map(str, found.problems)))

    # at the end

    def at_end(self) -> None:
        if self._world.endless:
            self._fail("endless", self._world.endless)
            return
        self._bugs()
        self._overtaken()
        self._hosts()
        self._inventions()
        self._duplicates()
        self._liveness()
        self._receives()
        self._displays()
        if not self.failures:
            SumChecks(self._world, self._fail).check()
            if not self._world.progress.unfinished():
                self._leftovers()

    def _bugs(self) -> None:
        raised = [told for process in self._world.everyone for told in process.raised]
        for told in [*self._world.witness.bugs, *raised]:
            if "nobody foresaw" not in told:
                self._fail("bug", told)

    def _overtaken(self) -> None:
        for process in self._world.everyone:
            for told in process.late:
                self._fail("overtaken", told)

    def _hosts(self) -> None:
        """What one host alone fails at is not the whole fleet's, if nothing else goes wrong."""
        world, events = self._world, self._world.plan.events
        sick = {event.how.rpartition(" ")[2] for event in events}
        # a host that was not heard of for a while is none, and the sick one then the only one
        struck = any(
            point.startswith(("sink.", "ledger.note_heartbeat")) or kind.startswith(UNHEARD)
            for point, kind in world.strikes.met
        )
        if struck or {event.kind for event in events} != {"sink-host"} or len(sick) != 1:
            return
        for name in {f"sink:{event.what}" for event in events} & world.witness.opened:
            self._fail("breaker", f"{name} opened, and only {sick} is sick")

    def _inventions(self) -> None:
        there = {
            (f"s3://{bucket}/{key}", record)
            for (bucket, key), contents in self._world.buckets.objects.items()
            for content in contents
            for record in content.records
        }
        for sink in self._world.sinks:
            for each in sink.accepted:
                if (str(each.origin.ref), each.record) not in there:
                    self._fail("invention", f"{sink.name} has {each.record!r} of {each.origin.ref}")
                if not wanted(each.record):
                    self._fail("filter", f"{sink.name} has {each.record!r}")

    def _duplicates(self) -> None:
        for sink in self._world.sinks:
            if sink.commits == "object":
                continue  # a file with the name of its content: a second one replaces the first
            times: dict[tuple[str, bytes], list[int]] = defaultdict(list)
            for each in sink.accepted:
                times[str(each.origin.ref), each.record].append(each.at)
            for (name, record), at in times.items():
                struck = [t for t in self._world.points.struck[name] if t <= at[-1]]
                if len(at) - 1 > len(struck):
                    self._fail("duplicate", f"{sink.name} took {record!r} of {name} at {at}, and "
                               f"strikes were at {struck}")  # fmt: skip

    # 4. liveness

    def _liveness(self) -> None:
        world = self._world
        if world.settled:
            self._undelivered()
            return
        late, bound = world.progress.overdue(), world.progress.waits.bound / 1000
        self._fail("stands still", f"{', '.join(late) or 'the ledger'} not done {bound:g} s after "
                   f"all was well; the ledger has {world.left()}")  # fmt: skip

    def _undelivered(self) -> None:
        """Good objects of messages that are not deleted, for another of them is bad."""
        for sent in self._world.plan.workload.sent:
            if sent.name in self._world.sqs.purged or self._world.progress.forgotten(sent):
                continue
            if self._world.progress.waits.well_since(sent) is None:
                continue
            for name in sent.names:
                if (
                    name.fate == "carry"
                    and not self._world.progress.arrived(name, sent)
                    and not self._world.progress.outdated(name)
                ):
                    self._fail("not delivered", f"{name.url} of {sent.name}")

    # 8. receives

    def _receives(self) -> None:
        world = self._world
        # what a sink will not take costs no receive
        strikes = world.kills + sum(
            not event.kind.startswith("sink") for event in world.plan.events
        )
        strikes += sum(
            not (each.point.startswith("sink.") and each.kind.startswith("error:"))
            for each in world.strikes.drawn
        )
        strikes += EARLY if world.progress.waits.may_be_left else 0
        for sent in world.plan.workload.sent:
            if world.progress.sound(sent) and sent.name in world.sqs.dead:
                self._fail("dead letter", f"{sent.name} is good")
        for name, receives in world.sqs.receives.items():
            if world.progress.sound(self._names[name]) and receives > strikes + 1:
                self._fail("receives", f"{name}: {receives} receives, {strikes} strikes")

    # 7. nothing left

    def _leftovers(self) -> None:
        refused = {
            name.url for sent in self._names.values() for name in sent.names
            if name.fate in ("refuse", "either") or self._maybe_outdated(name)
        }  # fmt: skip
        held = self._world.progress.waits_for_ever(self._world.left())
        given_up = refused or self._world.lost_ledger or self._world.sqs.purged
        self._world.database.run(self._world.link.clock() + LATER, "PING")
        for key in self._world.database.keys():  # noqa: SIM118  a command of the server's
            part = key.decode("utf-8", "replace").removeprefix("trailcourier:1:")
            kind = part.removeprefix("s:prod:").partition(":")[0]
            if (kind == "m" and not held) or kind == "c" or (kind == "o" and not given_up):
                self._fail("left over", part)

    def _maybe_outdated(self, name: Name) -> bool:
        contents = self._world.buckets.objects.get((name.bucket, name.key), [])
        return len(contents) > 1
