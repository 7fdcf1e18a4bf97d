"""The heartbeat of one process: every 10 s it reports its identity and its clock to the ledger."""

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import redis

import trailcourier
from trailcourier import wiring
from trailcourier.ledger.workers import BEAT, Presence
from trailcourier.observability import heartbeat, log, systemd
from trailcourier.observability.health import ProcessHealth
from trailcourier.settings import environment
from trailcourier.settings.digest import digest

INTERVAL = 10.0  # seconds between heartbeats; after 30 s without one a process does not count
SKEW = 2.0  # seconds; the log reports a clock that is further off, displays from 5 s on
REPEAT = 3600.0  # seconds until a clock that stays off is logged again
SLOW = 2.0  # seconds; an answer that took longer is no measure of a clock


def beat(file: Path, *, stuck: str = "", away: str = "") -> None:
    """Write the heartbeat *file* and notify systemd's watchdog; log each that fails."""
    reports: dict[str, Callable[[], None]] = {
        str(file): lambda: heartbeat.touch(file, stuck=stuck, away=away),
        "systemd's watchdog": lambda: systemd.notify_watchdog(environment.environ(), stuck=stuck),
    }
    for target, report in reports.items():
        try:
            report()
        except OSError as error:
            log.emit("heartbeat_failed", why=f"{target}: {error.strerror}")


class WorkerPresence:
    """Reports this process to the ledger; *roles* are those of ``ledger.workers``.

    *wall* and *clock* are the wall clock and the monotonic clock, in seconds.
    """

    def __init__(
        self,
        roles: tuple[str, ...],
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._clock = wall, clock
        self._logged_at: float | None = None
        self._presence = Presence(
            roles=roles,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=trailcourier.__version__,
            config=digest(wiring.settings()),
        )

    def report(self, name: str, threads: int = 0) -> None:
        """Report that this process is alive as *name*, and compare clocks; raises RedisError.

        *threads* is how many objects it forwards at once.  The answer shows how far its clock is
        off, so the next report includes that.
        """
        began, at = self._clock(), self._wall()
        now = wiring.workers().note_heartbeat(name, threads, self._presence)
        took = self._clock() - began
        if took <= SLOW:
            self._compare(at + took / 2 - now / 1000)

    def leave(self, name: str) -> None:
        """Report that this process is about to end; raises RedisError."""
        wiring.workers().remove(name)

    def _compare(self, ahead: float) -> None:
        self._presence = msgspec.structs.replace(self._presence, ahead=round(ahead, 3))
        if abs(ahead) <= SKEW:
            self._logged_at = None
        elif self._logged_at is None or self._clock() - self._logged_at >= REPEAT:
            self._logged_at = self._clock()
            log.emit("clock_skew", seconds_ahead=round(ahead, 1))


class BeatPresence:
    """The heartbeat of beat, which has no thread for it and sends it between two ticks."""

    def __init__(self) -> None:
        self._presence = WorkerPresence((BEAT,))
        self._name = f"{BEAT}@{socket.gethostname()}/{os.getpid()}"
        self._file = wiring.settings().workers.heartbeat_file
        self._health = ProcessHealth(threading.Event())
        self._due = 0.0  # monotonic

    def beat_if_due(self) -> None:
        """Report to the ledger and write the heartbeat file if it is time; log what fails.

        The file is also written before the report: a broker that hangs delays each call by half a
        minute, and a report and a tick together would take longer than the file stays fresh.
        """
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + INTERVAL
        self._touch()
        try:
            self._presence.report(self._name)
            self._health.broker_answered()
        except redis.RedisError as error:
            log.emit("heartbeat_failed", why=str(error))
        self._touch()

    def leave(self) -> None:
        """Report to the ledger that beat is about to end; log a failure."""
        try:
            self._presence.leave(self._name)
        except redis.RedisError as error:
            log.emit("heartbeat_failed", why=str(error))

    def _touch(self) -> None:
        beat(self._file, away=self._health.away())
