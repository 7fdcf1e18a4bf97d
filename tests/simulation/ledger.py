"""The ledger's client in a simulated process: each command is a point."""

import copy
import functools
import hashlib
from collections.abc import Callable
from typing import Any

import redis
from redis.client import Pipeline

from tests.simulation.clock import EPOCH
from tests.simulation.database import Database
from tests.simulation.points import Points, Struck
from trailcourier.ledger.redis_client import Client
from trailcourier.ledger.redis_faults import as_impaired
from trailcourier.ledger.script import scripts

SCRIPTS = scripts()
TEXTS = {script.sha: script.text for script in SCRIPTS}
NAMES = {script.sha: script.name for script in SCRIPTS}

ERRORS: dict[str, Callable[[], redis.RedisError]] = {
    "cut": lambda: redis.ConnectionError("Connection closed by server."),
    "connection": lambda: redis.ConnectionError("Error 111 connecting. Connection refused."),
    "timeout": lambda: redis.TimeoutError("Timeout reading from socket"),
    "readonly": lambda: redis.ReadOnlyError("You can't write against a read only replica."),
    "oom": lambda: redis.exceptions.OutOfMemoryError("command not allowed when used memory > 1."),
    "misconf": lambda: redis.ResponseError("MISCONF Errors writing to the AOF file: No space"),
    "loading": lambda: redis.BusyLoadingError("Redis is loading the dataset in memory"),
    "masterdown": lambda: redis.exceptions.MasterDownError("Link with MASTER is down"),
    "noreplicas": lambda: redis.ResponseError("NOREPLICAS Not enough good replicas to write."),
    "busy": lambda: redis.ResponseError("BUSY Redis is busy running a script."),
    "tryagain": lambda: redis.exceptions.TryAgainError("Multiple keys request during rehashing"),
    "noauth": lambda: redis.AuthenticationError("Authentication required."),
    "unblocked": lambda: redis.ResponseError("UNBLOCKED force unblock from blocking operation"),
}


class Link:
    """What all clients of one run share: the ledger, the points and whether it may be reached."""

    def __init__(self, database: Database, points: Points) -> None:
        self.database = database
        self.points = points
        database.know(TEXTS)
        self.skew = 0  # ms that the broker's clock is ahead
        self.trouble = ""  # a key of ERRORS while the whole broker answers with it
        self.admits: Callable[[str, str, int], None] = lambda message, receipt, receives: None
        """Called once a message was admitted, with its receipt and receive count."""
        self.forgets: Callable[[str, str], None] = lambda message, receipt: None
        """Called when a message is forgotten, with the receipt by which it is; '' for any."""

    def clock(self) -> int:
        return EPOCH * 1000 + self.points.schedule.now + self.skew

    def ask(self, point: str, commands: list[tuple[Any, ...]], told: str) -> list[Any]:
        """Send *commands* in one go, as a point."""
        try:
            answers = self.points.call(
                f"ledger.{point}", lambda: self._act(commands, point), retried=True, told=told,
                partly=lambda kind: self._act_half(commands),
            )  # fmt: skip
        except Struck as struck:
            raise _lasting(ERRORS[struck.kind]()) from None
        except redis.RedisError as error:
            actor = self.points.schedule.current
            assert actor is not None
            self.points.touch(actor.process)  # what it has in hand cannot be written down
            raise _lasting(error) from None
        if point == "admit_message":
            self.admits(*commands[0][6:9])
        return answers

    def _act_half(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """The broker ends in the middle of what was sent together."""
        if half := commands[: len(commands) // 2]:
            self._act(half)
        raise Struck("cut")

    def _act(self, commands: list[tuple[Any, ...]], point: str = "") -> list[Any]:
        if self.trouble:
            error = ERRORS[self.trouble]()
            raise error
        answers = self.database.run_all(self.clock(), commands)
        if point == "forget_messages":
            pairs = commands[0][7:]
            for message, receipt in zip(pairs[::2], pairs[1::2], strict=True):
                self.forgets(message, receipt)
        return answers


def _lasting(error: redis.RedisError) -> redis.RedisError:
    """What our connections make of *error*: one about the broker is a lost connection."""
    if isinstance(error, redis.ResponseError):
        return as_impaired(error) or error
    return error


class Onlooker(Link):
    """The link of somebody who looks on from outside: no call of theirs is a point."""

    def ask(self, point: str, commands: list[tuple[Any, ...]], told: str) -> list[Any]:
        del point, told
        return self._act(commands)


class SimClient(Client):
    """A client whose commands go through points, over the one connection of all runs."""

    _link: Link

    @classmethod
    def of(cls, link: Link) -> "SimClient":
        client = copy.copy(_first())
        client._link = link
        return client

    @property
    def own(self) -> redis.Redis:
        return self

    def execute_command(self, *args: Any, **options: Any) -> Any:
        name, told = _named(args)
        answer = self._link.ask(name, [args], told)[0]
        return self._parsed(args[0], answer, options)

    def pipeline(self, transaction: bool = False, shard_hint: Any = None) -> Pipeline:
        return _Pipeline(self, transaction, shard_hint)

    def _parsed(self, name: str, answer: Any, options: dict[str, Any]) -> Any:
        callback = self.response_callbacks.get(name)
        options.pop("keys", None)
        return callback(answer, **options) if callback else answer


@functools.cache
def _first() -> SimClient:
    """The client that all others are copies of, as making one costs a millisecond."""
    client = SimClient(unix_socket_path="/nowhere", protocol=2)
    client.auto_close_connection_pool = False  # which has no connection, and all copies have it
    return client


class _Pipeline(Pipeline):
    """Commands that are sent together, as one point."""

    def __init__(self, client: SimClient, transaction: bool, shard_hint: Any) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._client = client

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack = list(self.command_stack)
        self.reset()
        if not stack:
            return []
        named = [_named(args) for args, _ in stack]
        point = "+".join(dict.fromkeys(name for name, _ in named))
        told = " | ".join(told for _, told in named if told)
        answers = self._client._link.ask(point, [args for args, _ in stack], told)
        return [
            self._client._parsed(args[0], answer, options)
            for (args, options), answer in zip(stack, answers, strict=True)
        ]


def _named(args: tuple[Any, ...]) -> tuple[str, str]:
    """What a command is called at its point, and what of it a person wants to see."""
    name = str(args[0])
    if name == "EVALSHA":
        return NAMES.get(str(args[1]), "script"), _shown(args[5:11])
    if name == "EVAL":
        sha = hashlib.sha1(str(args[1]).encode()).hexdigest()
        return NAMES.get(sha, "script"), "with its text"
    key = str(args[1] if len(args) > 1 else "").rpartition(":")[2]
    return f"{name} {key}".strip(), ""


def _shown(args: tuple[Any, ...]) -> str:
    words = (each.hex() if isinstance(each, bytes) else str(each) for each in args)
    return " ".join(word[:24] for word in words)
