"""One place in the fleet, and the process that holds it for now."""

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import BinaryIO

from trailcourier import child
from trailcourier.broker import Embedded
from trailcourier.errors import Broken, Unreachable
from trailcourier.fleet.members import Member

DEATHS = 5  # in MINUTE seconds are one too many
MINUTE = 60.0
FIRST_WAIT, LAST_WAIT = 0.5, 30.0  # seconds before a process is started again
LAST_WORDS = 5  # lines

BROKER = "broker"
"""The role of a private broker."""

Start = Callable[[], child.Process]


class Post:
    """A process that is started again when it ends; *words* gives the last it said."""

    def __init__(
        self, name: str, *, role: str, grace: float, start: Start, words: Callable[[], str]
    ) -> None:
        self.name = name
        self.role = role
        self.grace = grace
        self._start = start
        self._words = words
        self._process: child.Process | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._again_at = 0.0

    @property
    def pid(self) -> int:
        """The process that holds the post now, or 0."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        self._process = self._start()

    def look(self) -> str:
        """Start the process again if it is time; say what happened to it, if anything.

        Raises Broken when it has ended too often.
        """
        now = time.monotonic()
        if self._process is None:
            if now >= self._again_at:
                self.start()
            return ""
        if self._process.poll() is None:
            return ""
        status = child.reap(self._process)
        self._process = None
        return self._died(status, now)

    def _died(self, status: int, now: float) -> str:
        self._deaths.append(now)
        recent = sum(now - death < MINUTE for death in self._deaths)
        how = f"{self.name} ended ({_told(status)})"
        if recent >= DEATHS:
            raise Broken(
                f"{how}, for the {recent}th time in a minute. Its last words:\n{self._words()}"
            )
        wait = min(FIRST_WAIT * 2 ** (recent - 1), LAST_WAIT)
        self._again_at = now + wait
        return f"{how}; it is started again in {wait:g} s"

    def ask(self) -> None:
        """Ask the process to stop."""
        if self._process:
            child.send(self._process, signal.SIGTERM)

    def end(self, seconds: float) -> None:
        """Wait *seconds* for the process to stop as asked, then make it."""
        if self._process:
            child.end(self._process, grace=max(0, seconds))
            self._process = None

    def kill(self) -> None:
        """End the process at once, from any thread; ``end`` sees to the rest."""
        if process := self._process:
            child.send(process, signal.SIGKILL)


def for_broker(broker: Embedded) -> Post:
    """The post of a private broker: it keeps its address when it is started again."""
    return Post(BROKER, role=BROKER, grace=10, start=broker.start, words=broker.last_words)


def for_member(member: Member, environment: Mapping[str, str], log: BinaryIO) -> Post:
    """The post of *member*, whose output goes to *log*."""
    output = Output(member, {**environment, **member.environment}, log)
    return Post(
        member.name,
        role=member.role,
        grace=member.grace,
        start=output.start,
        words=output.last_words,
    )


class Output:
    """Starts a member's process, passes on what it says, and remembers the end of it."""

    def __init__(self, member: Member, environment: Mapping[str, str], log: BinaryIO) -> None:
        self._member = member
        self._environment = environment
        self._log = log
        self._said: deque[str] = deque(maxlen=LAST_WORDS)
        self._reader: threading.Thread | None = None

    def start(self) -> child.Process:
        ear, mouth = os.pipe()
        try:
            process = child.start(
                self._member.argv,
                environment=self._environment,
                stdout=None if self._member.stdout == "ours" else mouth,
                stderr=mouth,
                keep=self._member.keep,
            )
        except OSError as error:
            os.close(ear)
            raise Unreachable(f"cannot start {self._member.name}: {error}") from error
        finally:
            os.close(mouth)
        self._reader = threading.Thread(target=self._pass_on, args=(ear,), daemon=True)
        self._reader.start()
        return process

    def last_words(self) -> str:
        if self._reader:
            self._reader.join(2)  # its process has ended, so it reads to the end
        return "\n".join(self._said) or "(none)"

    def _pass_on(self, ear: int) -> None:
        with open(ear, "rb") as lines:
            for line in lines:
                self._said.append(line.decode(errors="replace").rstrip())
                self._write(line)

    def _write(self, line: bytes) -> None:
        """Nobody may listen any more; the process must not wait for that."""
        with contextlib.suppress(OSError, ValueError):
            self._log.write(line)
            self._log.flush()


def _told(status: int) -> str:
    """What an exit status says."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
