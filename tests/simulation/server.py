"""One real Valkey for a run of many seeds, reached over a Unix socket.

Each world has two of its databases, one to live in and one for a copy, and all worlds share one
connection: what several of them ask goes out in one write.
"""

import hashlib
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hiredis

from tests.simulation.shim import SHIM
from trailcourier.host import child_process, embedded_broker

START_SECONDS = 30
DATABASES = 64

Command = tuple[Any, ...]


class Ask:
    """Commands of one database, sent between what has to be said *before* and *after* them."""

    __slots__ = ("after", "answers", "before", "commands", "number")

    def __init__(
        self, number: int, commands: Sequence[Command], before: Sequence[Command] = (),
        after: Sequence[Command] = (),
    ) -> None:  # fmt: skip
        self.number = number  # of the database
        self.commands = commands
        self.before = before
        self.after = after
        self.answers: list[Any] = []  # to the commands alone

    def sent(self) -> Iterator[Command]:
        yield from self.before
        yield from self.commands
        yield from self.after


class Server:
    """A Valkey process of one's own, and one connection to it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sim-"))
        path = self._folder / "s"
        _, binary = embedded_broker._find_server()
        argv = [binary, "--port", "0", "--unixsocket", str(path), "--save", ""]
        argv += ["--dir", str(self._folder), "--loglevel", "warning"]
        argv += ["--maxmemory-policy", "noeviction", "--databases", str(DATABASES)]
        with (self._folder / "log").open("wb") as log:
            self._process = child_process.start(argv, stdout=log, stderr=log)
        self._socket = self._connected(path)
        self._answers = hiredis.Reader()
        self._selected = 0
        self._loaded: dict[str, str] = {}  # by the script's own hash, the hash with the shim

    def _connected(self, path: Path) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS
        while True:
            made = socket.socket(socket.AF_UNIX)
            try:
                made.connect(str(path))
            except OSError:
                made.close()
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.01)
            else:
                return made

    def answer(self, asks: Sequence[Ask]) -> None:
        """Send all *asks* in one write, and give each its answers, errors among them."""
        packed: list[bytes] = []
        selects = []
        for ask in asks:
            selects.append(ask.number != self._selected)
            if ask.number != self._selected:
                packed.append(hiredis.pack_command(("SELECT", ask.number)))
                self._selected = ask.number
            packed += map(hiredis.pack_command, ask.sent())
        self._socket.sendall(b"".join(packed))
        for ask, select in zip(asks, selects, strict=True):
            self._pass_over(select + len(ask.before))
            ask.answers = self._read(len(ask.commands))
            self._pass_over(len(ask.after))

    def _pass_over(self, number: int) -> None:
        """Read answers that say nothing, unless they are errors."""
        for answer in self._read(number) if number else ():
            if isinstance(answer, hiredis.ReplyError):
                raise answer

    def _read(self, number: int) -> list[Any]:
        answers: list[Any] = []
        while len(answers) < number:
            answer = self._answers.gets()
            if answer is False:
                received = self._socket.recv(65536)
                if not received:
                    raise ConnectionError("Valkey has ended")
                self._answers.feed(received)
            else:
                answers.append(answer)
        return answers

    def load(self, text: str) -> str:
        """The hash of *text* behind the shim, which the server knows from now on."""
        own = hashlib.sha1(text.encode()).hexdigest()
        if own not in self._loaded:
            ask = Ask(self._selected, [("SCRIPT", "LOAD", SHIM + text)])
            self.answer([ask])
            self._loaded[own] = ask.answers[0].decode()
        return self._loaded[own]

    def close(self) -> None:
        self._socket.close()
        child_process.stop(self._process, grace=5)
        shutil.rmtree(self._folder, ignore_errors=True)
