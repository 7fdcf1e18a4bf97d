"""One supervised process of a fleet: it is started again when it ends."""

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import BinaryIO

from trailcourier.errors import Broken, Unreachable
from trailcourier.host import child_process
from trailcourier.host.embedded_broker import EmbeddedBroker
from trailcourier.host.specs import ProcessSpec

MAX_ENDS = 5  # in MINUTE seconds; then the fleet gives up
MINUTE = 60.0
FIRST_WAIT, LAST_WAIT = 0.5, 30.0  # seconds before a process is restarted
LAST_WORDS = 5  # lines

BROKER = "broker"
"""The role of a private broker."""

Start = Callable[[], child_process.Process]


class SupervisedProcess:
    """A process that is restarted when it ends.

    *words* returns the last lines of its output, after all output of an ended process was written.
    """

    def __init__(
        self, name: str, *, role: str, grace: float, start: Start, words: Callable[[], str]
    ) -> None:
        self.name = name
        self.role = role
        self.grace = grace
        self._start = start
        self._words = words
        self._process: child_process.Process | None = None
        self._ends: deque[float] = deque(maxlen=MAX_ENDS)
        self._restart_at = 0.0

    @property
    def pid(self) -> int:
        """The id of the current process, or 0."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        self._process = self._start()

    def check(self) -> str:
        """Restart the process if it is due; return what happened to it, or nothing.

        Raises Broken if it has ended too often.
        """
        now = time.monotonic()
        if self._process is None:
            if now >= self._restart_at:
                self.start()
            return ""
        if self._process.poll() is None:
            return ""
        status = child_process.reap(self._process)
        self._process = None
        return self._ended(status, now)

    def _ended(self, status: int, now: float) -> str:
        self._ends.append(now)
        recent = sum(now - end < MINUTE for end in self._ends)
        how = f"{self.name} ended ({_describe(status)})"
        if recent >= MAX_ENDS:
            raise Broken(
                f"{how}, for the {recent}th time in a minute. Its last output:\n{self._words()}"
            )
        wait = min(FIRST_WAIT * 2 ** (recent - 1), LAST_WAIT)
        self._restart_at = now + wait
        return f"{how}; it is restarted in {wait:g} s"

    def terminate(self) -> None:
        """Send SIGTERM to the process."""
        if self._process:
            child_process.send(self._process, signal.SIGTERM)

    def end(self, seconds: float) -> None:
        """Wait *seconds* for the process to stop, then kill it; write all of its output."""
        if self._process:
            child_process.end(self._process, grace=max(0, seconds))
            self._process = None
        self._words()

    def kill(self) -> None:
        """Kill the process, from any thread; ``end`` still has to reap it."""
        if process := self._process:
            child_process.send(process, signal.SIGKILL)


def for_broker(broker: EmbeddedBroker) -> SupervisedProcess:
    """Supervise a private broker, which keeps its address when it is restarted."""
    return SupervisedProcess(
        BROKER, role=BROKER, grace=10, start=broker.start, words=broker.last_words
    )


def for_member(
    member: ProcessSpec, environment: Mapping[str, str], log: BinaryIO
) -> SupervisedProcess:
    """Supervise *member*, whose output goes to *log*."""
    output = Output(member, {**environment, **member.environment}, log)
    return SupervisedProcess(
        member.name,
        role=member.role,
        grace=member.grace,
        start=output.start,
        words=output.last_words,
    )


class Output:
    """Starts a member's process, copies its output to the log, and keeps the last lines."""

    def __init__(self, member: ProcessSpec, environment: Mapping[str, str], log: BinaryIO) -> None:
        self._member = member
        self._environment = environment
        self._log = log
        self._last_lines: deque[str] = deque(maxlen=LAST_WORDS)
        self._reader: threading.Thread | None = None

    def start(self) -> child_process.Process:
        reader, writer = os.pipe()
        try:
            process = child_process.start(
                self._member.argv,
                environment=self._environment,
                stdout=None if self._member.stdout == "ours" else writer,
                stderr=writer,
                keep=self._member.keep,
            )
        except OSError as error:
            os.close(reader)
            raise Unreachable(f"cannot start {self._member.name}: {error}") from error
        finally:
            os.close(writer)
        self._reader = threading.Thread(target=self._copy, args=(reader,), daemon=True)
        self._reader.start()
        return process

    def last_words(self) -> str:
        if self._reader:
            self._reader.join(2)  # its process has ended, so the thread reaches the end
        return "\n".join(self._last_lines) or "(none)"

    def _copy(self, reader: int) -> None:
        with open(reader, "rb") as lines:
            for line in lines:
                self._last_lines.append(line.decode(errors="replace").rstrip())
                self._write(line)

    def _write(self, line: bytes) -> None:
        """Write *line* to the log, if it is still open; the process must not block on it."""
        with contextlib.suppress(OSError, ValueError):
            self._log.write(line)
            self._log.flush()


def _describe(status: int) -> str:
    """Return an exit status in words."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
