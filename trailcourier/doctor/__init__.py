"""Says what keeps records from arriving, in the order a person would look.

A check is a function of CHECKS: it is given a source and yields what it finds.  Nothing is taken
from the queue, written or changed; a sink is sent something only where ``Shared.send`` says so.
Every wait has an end, and so has the whole.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

import msgspec

from trailcourier.doctor import (
    backlog,
    broker,
    bucket,
    configuration,
    direct,
    fleet,
    hosts,
    identity,
    keeping,
    queue,
    sinks,
    topic,
    traffic,
    trail,
)
from trailcourier.doctor.finding import Finding, Level
from trailcourier.doctor.order import Check
from trailcourier.doctor.subject import OUT_OF_TIME, Shared, Subject

__all__ = ["CHECKS", "Finding", "Level", "Looking", "Shared", "Told", "examine"]

Looking = Callable[[str], None]
"""Told what is being looked at."""

CHECKS: tuple[Check, ...] = (
    configuration.look,
    hosts.look,
    identity.look,
    queue.look,
    keeping.look,
    backlog.look,
    topic.look,
    direct.look,
    trail.look,
    bucket.look,
    traffic.look,
    broker.look,
    fleet.look,
    sinks.look,
)

GRACE = 2.0  # seconds beyond the time there is, for all checks that are about to end


class Told(msgspec.Struct, frozen=True):
    """A finding, and the source it was found at."""

    source: str
    finding: Finding


def examine(
    shared: Shared, names: Sequence[str], looking: Looking = lambda _: None
) -> Iterator[Told]:
    """Look at every source of *names* at once, and tell in their order what is found.

    What was told of one source is not told again of another that shares it, such as a sink.
    *looking* is told what is being looked at.
    """
    looks = [(name, _Look(Subject(name, shared))) for name in names]
    told: set[Finding] = set()
    for name, look in looks:
        for said in look.follow(shared):
            if isinstance(said, str):
                looking(f"{name}: {said}")
            elif said not in told:
                told.add(said)
                yield Told(name, said)


class _Look:
    """One source's checks, at work in a thread of their own."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._said: SimpleQueue[str | Finding | BaseException | None] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def follow(self, shared: Shared) -> Iterator[str | Finding]:
        """Yield what comes: the name of a check that begins, or what one found."""
        while True:
            try:
                said = self._said.get(timeout=shared.left(float("inf"), beyond=GRACE))
            except Empty:
                text = "the time was over before everything was looked at"
                yield Finding("unproved", OUT_OF_TIME, text, "Run doctor again.")
                return
            if said is None:
                return
            if isinstance(said, BaseException):
                raise said
            yield said

    def _run(self) -> None:
        try:
            for check in CHECKS:
                self._said.put(check.__module__.rpartition(".")[2])
                for found in check(self._subject):
                    self._subject.found.append(found)
                    self._said.put(found)
        except BaseException as error:  # noqa: BLE001 - raised where it is followed
            self._said.put(error)
        else:
            self._said.put(None)
