"""The pulse of one process: who it is and how its clock stands, told to the ledger every 10 s."""

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import redis

import trailcourier
from trailcourier import heartbeat, observe, watchdog, wiring
from trailcourier.ledger.workers import BEAT, Presence
from trailcourier.life import Life
from trailcourier.settings import environment
from trailcourier.settings.digest import digest

PULSE = 10.0  # seconds; a process not heard of for 30 counts no more
SKEW = 2.0  # seconds; the log names a clock that is further off, displays from 5 s on
SAID = 3600.0  # seconds until a clock that stays off is said again
SLOW = 2.0  # seconds; an answer that took longer says too little about a clock


def beat(file: Path, *, stuck: str = "", away: str = "") -> None:
    """Write the heartbeat *file* and feed systemd's watchdog; what fails is said."""
    told: dict[str, Callable[[], None]] = {
        str(file): lambda: heartbeat.touch(file, stuck=stuck, away=away),
        "systemd's watchdog": lambda: watchdog.feed(environment.environ(), stuck=stuck),
    }
    for what, tell in told.items():
        try:
            tell()
        except OSError as error:
            observe.fact("heartbeat_failed", why=f"{what}: {error.strerror}")


class Pulse:
    """Tells of this process, whose *roles* are those of ``ledger.workers``.

    *wall* and *clock* are the wall clock and the monotonic one, in seconds.
    """

    def __init__(
        self,
        roles: tuple[str, ...],
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._clock = wall, clock
        self._said: float | None = None
        self._presence = Presence(
            roles=roles,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=trailcourier.__version__,
            config=digest(wiring.settings()),
        )

    def report(self, name: str, threads: int = 0) -> None:
        """Say that this process is alive as *name*, and compare its clock; raises RedisError.

        *threads* is how many objects it carries at once.  How far its clock is off is known by the
        answer, so the next report tells it.
        """
        began, at = self._clock(), self._wall()
        now = wiring.workers().heartbeat(name, threads, self._presence)
        took = self._clock() - began
        if took <= SLOW:
            self._compare(at + took / 2 - now / 1000)

    def leave(self, name: str) -> None:
        """Say that this process is about to end; raises RedisError."""
        wiring.workers().gone(name)

    def _compare(self, ahead: float) -> None:
        self._presence = msgspec.structs.replace(self._presence, ahead=round(ahead, 3))
        if abs(ahead) <= SKEW:
            self._said = None
        elif self._said is None or self._clock() - self._said >= SAID:
            self._said = self._clock()
            observe.fact("clock_skew", seconds_ahead=round(ahead, 1))


class ClockPulse:
    """The pulse of the clock, which has no thread for it: it is taken between two ticks."""

    def __init__(self) -> None:
        self._pulse = Pulse((BEAT,))
        self._name = f"{BEAT}@{socket.gethostname()}/{os.getpid()}"
        self._file = wiring.settings().workers.heartbeat_file
        self._life = Life(threading.Event())
        self._due = 0.0  # monotonic

    def take(self) -> None:
        """Report, and write the heartbeat file, if it is time; what fails is said.

        The file is written before the broker is asked too: a broker that hangs holds up each call
        for half a minute, and a report and a tick together would outlast the file.
        """
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + PULSE
        self._touch()
        try:
            self._pulse.report(self._name)
            self._life.heard()
        except redis.RedisError as error:
            observe.fact("heartbeat_failed", why=str(error))
        self._touch()

    def _touch(self) -> None:
        beat(self._file, away=self._life.away())
