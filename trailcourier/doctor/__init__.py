"""Finds what keeps records from arriving, in the order in which a person would look.

CHECKS lists the checks: functions that take a source and yield findings.  A check takes no message
from the queue and writes and changes nothing; it sends a sink a record only if ``Shared.send`` is
set.  Every wait has a timeout, and so has the whole run.
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
    message_lifetime,
    movement,
    queue,
    remaining,
    retention,
    sinks,
    topic,
    traffic,
    trail,
)
from trailcourier.doctor.finding import Finding, Level
from trailcourier.doctor.prerequisites import Check
from trailcourier.doctor.subject import OUT_OF_TIME, Shared, Subject

__all__ = ["CHECKS", "Finding", "Level", "ProgressCallback", "ReportedFinding", "Shared", "examine"]

ProgressCallback = Callable[[str], None]
"""Takes the source and the check that begins, as ``"prod: queue"``."""

CHECKS: tuple[Check, ...] = (
    configuration.check_configuration,
    hosts.check_hosts,
    identity.check_identity,
    queue.check_queue,
    retention.check_retention,
    message_lifetime.check_message_lifetime,
    backlog.check_backlog,
    topic.check_topics,
    direct.check_direct_notifications,
    trail.check_trails,
    bucket.check_buckets,
    traffic.check_traffic,
    broker.check_broker,
    fleet.check_fleet,
    movement.check_movement,
    sinks.check_sinks,
    remaining.check_remaining,
)

GRACE = 2.0  # seconds after the time limit, so that checks near their end can report


class ReportedFinding(msgspec.Struct, frozen=True):
    """A finding and the source that it is about."""

    source: str
    finding: Finding


def examine(
    shared: Shared, names: Sequence[str], on_progress: ProgressCallback = lambda _: None
) -> Iterator[ReportedFinding]:
    """Check all sources in *names* at the same time, and yield their findings in that order.

    A finding about something that sources share, such as a sink, is yielded once, for the first.
    *on_progress* is called when a check begins.
    """
    runs = [(name, _SourceRun(Subject(name, shared))) for name in names]
    reported: set[Finding] = set()
    for name, run in runs:
        for event in run.events(shared):
            if isinstance(event, str):
                on_progress(f"{name}: {event}")
            elif event not in reported:
                reported.add(event)
                yield ReportedFinding(name, event)


class _SourceRun:
    """Runs the checks of one source in a thread."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._events: SimpleQueue[str | Finding | BaseException | None] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def events(self, shared: Shared) -> Iterator[str | Finding]:
        """Yield the name of each check that begins, and each finding; raise what a check raised."""
        while True:
            try:
                event = self._events.get(timeout=shared.seconds_left(float("inf"), beyond=GRACE))
            except Empty:
                text = "the time limit ended before all checks were done"
                fix = "Run doctor again, with --source for one source alone."
                yield Finding("not-checked", OUT_OF_TIME, text, fix)
                return
            if event is None:
                return
            if isinstance(event, BaseException):
                raise event
            yield event

    def _run(self) -> None:
        try:
            for check in CHECKS:
                self._events.put(check.__module__.rpartition(".")[2])
                for finding in check(self._subject):
                    self._subject.findings.append(finding)
                    self._events.put(finding)
        except BaseException as error:  # noqa: BLE001 - events() raises it
            self._events.put(error)
        else:
            self._events.put(None)
