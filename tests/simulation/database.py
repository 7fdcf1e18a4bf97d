"""What one world has of the server: databases of its own, in simulated time."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import hiredis
import redis

from tests.simulation.server import Ask, Command, Server
from tests.simulation.shim import COMMAND, COPY

DATABASES = 2  # of each world: where it lives, and the copy

FULL = (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0))
REFUSES = (
    ("CONFIG", "SET", "min-replicas-to-write", 1),
    ("CONFIG", "SET", "min-replicas-to-write", 0),
)
"""Settings are of the whole server, so they hold around a world's commands only."""


class Database:
    """The world's part of *server*; *wait* has what is asked answered, and returns then."""

    def __init__(self, server: Server, place: int, wait: Callable[[Ask], Any]) -> None:
        self.full = False  # no memory is left
        self.refuses = False  # too few replicas are there to take writes
        self._server = server
        self._number = place * DATABASES
        self._copy = self._number + 1
        self._wait = wait
        self._known: dict[str, str] = {}  # by the script's own hash, the hash with the shim
        self._command = server.load(COMMAND)

    def run(self, clock: int, *args: Any) -> Any:
        """Answer one command, at *clock* milliseconds; raises redis.ResponseError."""
        return self.run_all(clock, [args])[0]

    def run_all(self, clock: int, commands: list[Command]) -> list[Any]:
        """Answer several commands sent at once; raises the first error among the answers."""
        return self.plain_all([self._wrapped(clock, command) for command in commands])

    def plain(self, *command: Any) -> Any:
        """Answer a command of the simulation's own, outside of simulated time."""
        return self.plain_all([command])[0]

    def plain_all(self, commands: list[Command]) -> list[Any]:
        """As ``plain``, for several."""
        held = [each for each, on in ((FULL, self.full), (REFUSES, self.refuses)) if on]
        return self._ask(
            Ask(self._number, commands, [on for on, _ in held], [off for _, off in held])
        )

    def _ask(self, ask: Ask) -> list[Any]:
        self._wait(ask)
        for answer in ask.answers:
            if isinstance(answer, hiredis.ReplyError):
                raise _error(str(answer))
        return ask.answers

    def _wrapped(self, clock: int, command: Command) -> Command:
        name = str(command[0]).upper()
        if name == "EVALSHA":
            sha = self._known.get(str(command[1]))
            if sha is None:
                raise redis.exceptions.NoScriptError("NOSCRIPT No matching script.")
        elif name == "EVAL":
            sha = self._known_as(str(command[1]))
        else:
            return ("EVALSHA", self._command, 1, clock, *command)
        keys = int(command[2])
        at = 3 + keys
        return ("EVALSHA", sha, keys + 1, *command[3:at], clock, *command[at:])

    def _known_as(self, text: str) -> str:
        own = hashlib.sha1(text.encode()).hexdigest()
        self._known[own] = self._server.load(text)
        return self._known[own]

    def know(self, texts: Mapping[str, str]) -> None:
        """Know these scripts from now on, each by the hash of its text."""
        if not texts.keys() <= self._known.keys():
            self._known |= {own: self._server.load(text) for own, text in texts.items()}

    def forget_scripts(self) -> None:
        """Know no script any more, as after a restart."""
        self._known.clear()

    def empty(self) -> None:
        """Lose everything; this and the copies work however the world is hindered."""
        self._ask(Ask(self._number, [("FLUSHDB",)]))

    def keep_copy(self) -> None:
        """Remember how everything is now."""
        self._ask(Ask(self._copy, [("FLUSHDB",)]))
        self._ask(Ask(self._number, [("EVAL", COPY, 0, self._copy)]))

    def restore_copy(self) -> None:
        """Let everything be as it was at the last ``keep_copy``."""
        self._ask(Ask(self._number, [("FLUSHDB",)]))
        self._ask(Ask(self._copy, [("EVAL", COPY, 0, self._number)]))

    def keys(self) -> list[bytes]:
        """Every key but the simulation's own, whatever its end."""
        return sorted(key for key in self.plain("KEYS", "*") if not key.startswith(b"sim:"))


def _error(said: str) -> redis.RedisError:
    """The exception that redis-py makes of an error reply."""
    parser = redis._parsers.base.BaseParser
    return parser.parse_error(said)
