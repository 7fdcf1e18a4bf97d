"""Messages in the broker that are not our tasks: moved aside, so that they do not end a worker."""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, NoReturn, get_type_hints

import msgspec
import redis
from celery.worker import consumer
from celery.worker.request import Request
from kombu.exceptions import KombuError
from msgspec import Meta

from trailcourier.ledger.redis_client import FREES
from trailcourier.observability import log

KEPT = 100
"""How many such messages are kept, the newest."""

LONGEST = 65_536
"""How many bytes of each are kept."""

ASIDE = "aside"
"""The Redis list of them, below the prefix of kombu's keys: their bytes, newest first."""

_SET_ASIDE = (
    FREES
    + """
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('HDEL', KEYS[3], ARGV[3])
"""
)


class Foreign(Exception):
    """A message is not one of our tasks; the text says why."""


MALFORMED = (
    *(Foreign, KombuError),
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)
"""What Python, kombu and Celery raise for a malformed message, as opposed to a lost connection."""


def set_aside(channel: Any, queue: str, item: bytes, tag: Any, why: Exception) -> None:
    """Move *item*, a message of *queue*, to the ASIDE list, where an operator finds it.

    *tag* is its delivery tag, if it has one.  Raises RedisError; then the broker still has the
    message among those that we hold.
    """
    prefix = channel.global_keyprefix
    keys = [prefix + key for key in (ASIDE, channel.unacked_index_key, channel.unacked_key)]
    noted = tag.encode(errors="replace") if isinstance(tag, str) else tag
    client = redis.Redis(connection_pool=channel.pool)  # kombu's prefixes some of the keys alone
    client.eval(
        *(_SET_ASIDE, len(keys), *keys),
        *(item[:LONGEST], KEPT, noted if isinstance(noted, bytes) else b""),
    )
    log_foreign(queue, item, why)


def log_foreign(queue: str, item: bytes, why: Exception) -> None:
    """Log and count a message that is not one of our tasks."""
    text = f"{type(why).__name__}: {why}"[:200]
    log.emit("message_set_aside", queue=queue, bytes=len(item), why=ascii(text)[1:-1])


class _Chord(msgspec.Struct):
    task: Literal["trailcourier.settle"]
    args: list[Any]
    options: dict[str, Any]


class _Embedded(msgspec.Struct):
    """What may accompany the arguments: the chord of a forward, and nothing else."""

    chord: _Chord | None = None
    chain: None = None
    callbacks: Annotated[list[Any], Meta(max_length=0)] | None = None
    errbacks: Annotated[list[Any], Meta(max_length=0)] | None = None


class _Headers(msgspec.Struct):
    id: str
    eta: None = None  # none of our tasks is delayed
    retries: int = 0
    timelimit: tuple[float | None, float | None] | None = None
    group: str | None = None
    group_index: int | None = None
    root_id: str | None = None
    parent_id: str | None = None
    argsrepr: str = ""
    kwargsrepr: str = ""
    shadow: str | None = None


class OurRequest(Request):
    """A request for one of our tasks, as we send them; raises Foreign for any other."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        try:
            _demand(self)
        except (msgspec.ValidationError, TypeError) as error:
            raise Foreign(f"{self.task.name}: {error}") from error
        self._expires = None  # a tick of an older beat has one; its age decides


def _demand(request: Request) -> None:
    """Raise ValidationError or TypeError unless the arguments fit the task's parameters."""
    msgspec.convert(request.request_dict, _Headers)
    msgspec.convert(request._payload[2], _Embedded | None)  # noqa: SLF001 - Celery's own way to it
    signature, kinds = _taken(request.task)
    for name, value in signature.bind(*request.args, **request.kwargs).arguments.items():
        if kinds[name] is not object:
            msgspec.convert(value, kinds[name])


@cache
def _taken(task: Any) -> tuple[inspect.Signature, Mapping[str, Any]]:
    """Return the parameters of a task, and the type of each."""
    return inspect.signature(task.run), get_type_hints(task.run)


class Demanding(consumer.Consumer):
    """A consumer that hands every message it cannot run to its channel, which moves it aside."""

    def update_strategies(self) -> None:
        """Accept our own tasks only: Celery registers a dozen others."""
        super().update_strategies()
        for name in [each for each in self.strategies if each.startswith("celery.")]:
            del self.strategies[name]

    def on_unknown_message(self, *_: Any) -> NoReturn:
        raise Foreign("it names no task")

    def on_unknown_task(self, _body: Any, _message: Any, error: Exception) -> NoReturn:
        raise Foreign(f"no task of ours is called {error}")

    def on_invalid_task(self, _body: Any, _message: Any, error: Exception) -> NoReturn:
        raise Foreign(str(error)) from error

    def on_decode_error(self, _message: Any, error: Exception) -> NoReturn:
        raise Foreign(str(error)) from error
