"""What a storm strikes, and when: a plan that follows from its seed alone."""

import contextlib
import dataclasses
import errno
import os
import random
import shutil
import signal
import threading
from collections.abc import Callable
from typing import NamedTuple

import redis

from tests.reliability.world import World
from tests.servers import free_port
from trailcourier import broker, child

OBJECTS = ("objects-1", "objects-2", "objects-3")
BUSY = "while true do end"
FILLER = 1 << 20  # bytes at a time


class Strike(NamedTuple):
    """What is struck *at* so many seconds, and for how many seconds it stays so.

    A *hasty* one does not wait until everything has recovered from the one before.
    """

    at: float
    what: str
    down: float = 0
    hasty: bool = False

    def __str__(self) -> str:
        down = f" for {self.down} s" if self.down else ""
        return f"{self.at:.1f} s {self.what}{down}{' hastily' if self.hasty else ''}"


KILLS = (
    ("objects", 9), ("control", 3), ("beat", 2), ("broker", 3), ("broker without data", 1),
    ("flushall", 1),
)  # fmt: skip
EVERYTHING = (
    ("objects", 5), ("control", 2), ("beat", 1), ("broker", 2), ("broker without data", 1),
    ("flushall", 1), ("freeze objects", 3), ("freeze control", 2), ("freeze broker", 2),
    ("read-only", 2), ("no memory", 2), ("no replicas", 2), ("busy", 2), ("clock -3600", 1),
    ("clock +3600", 1), ("clock +25", 1), ("clock -25", 1), ("stalled bucket", 2),
    ("stalled queue", 2), ("full disk", 2),
)  # fmt: skip
"""Kinds of strike, and how many of each a minute has."""

DOWN = {
    "broker": (0.2, 4.0),
    "broker without data": (0.2, 4.0),
    "freeze objects": (3.0, 14.0),  # a claim lives for four seconds, a poll lease for ten
    "freeze control": (3.0, 14.0),
    "freeze broker": (1.0, 12.0),
    "read-only": (1.0, 6.0),
    "no memory": (1.0, 6.0),
    "no replicas": (1.0, 6.0),
    "busy": (1.0, 6.0),
    "stalled bucket": (1.0, 6.0),
    "stalled queue": (1.0, 6.0),
    "full disk": (1.0, 6.0),
}
"""For how many seconds, at least and at most."""


@dataclasses.dataclass(frozen=True)
class Weather:
    """How long messages come, how many, and how often what is struck."""

    seed: int
    seconds: float = 60
    messages: int = 500
    strikes: tuple[tuple[str, int], ...] = KILLS

    def plan(self) -> list[Strike]:
        """The strikes, in order, about evenly spread."""
        chance = random.Random(self.seed)
        kinds = [what for what, times in self.strikes for _ in range(times)]
        chance.shuffle(kinds)
        step = self.seconds / len(kinds)
        return [
            Strike(
                step * (at + chance.uniform(0.2, 0.9)),
                *self._one(chance, what),
                hasty=chance.random() < 0.25,
            )
            for at, what in enumerate(kinds)
        ]

    @staticmethod
    def _one(chance: random.Random, what: str) -> tuple[str, float]:
        down = round(chance.uniform(*DOWN[what]), 1) if what in DOWN else 0.0
        if what.endswith("objects"):
            return what.replace("objects", chance.choice(OBJECTS)), down
        return what, down


Heal = Callable[[], object]


def strike(world: World, what: str) -> Heal:
    """Strike *what*; the answer undoes it."""
    kind, _, name = what.partition(" ")
    return STRIKES.get(kind, _kill)(world, name or kind)


def _nothing() -> None:
    """Undo nothing: it repairs itself."""


def _kill(world: World, name: str) -> Heal:
    world.kill(name)
    world.spawn(name)
    return _nothing


def _empty(world: World, _: str) -> Heal:
    world.server.start()
    world.client.flushall()
    return _nothing


def _end_broker(world: World, how: str) -> Heal:
    child.kill(world.server.process)
    if how == "without data":
        shutil.rmtree(world.server.directory / "appendonlydir", ignore_errors=True)
    return world.server.start


def _set_clock(world: World, seconds: str) -> Heal:
    world.client.incrby("trailcourier:1:offset", int(seconds) * 1000)
    return _nothing


def _freeze(world: World, name: str) -> Heal:
    """Stop a process, as a host does that swaps or a container that is throttled."""
    process = world.server.process if name == "broker" else world.processes[name].process
    child.send(process, signal.SIGSTOP)
    return lambda: child.send(process, signal.SIGCONT)


def _stall(world: World, what: str) -> Heal:
    """Let requests wait for an answer until they give up."""
    if what == "bucket":
        world.s3.fault("*", hang=True, times=-1)
        return world.s3.heal
    world.sqs.fault("ReceiveMessage", hang=True, times=-1)
    return world.sqs.heal


def _refuse(world: World, what: str) -> Heal:
    """Let the broker answer with errors, by itself."""
    client = broker.connect(world.server.url)

    def undo(*steps: Callable[[], object]) -> None:
        with contextlib.suppress(redis.RedisError):  # killed meanwhile, which undid it too
            for step in steps:
                step()
        client.close()

    match what:
        case "read-only":
            client.replicaof("127.0.0.1", str(free_port()))
            return lambda: undo(lambda: client.replicaof("NO", "ONE"))
        case "memory":
            client.config_set("maxmemory", 1)
            return lambda: undo(lambda: client.config_set("maxmemory", 0))
        case "replicas":
            client.config_set("min-replicas-to-write", 1)
            return lambda: undo(lambda: client.config_set("min-replicas-to-write", 0))
        case _:
            client.config_set("busy-reply-threshold", 100)
            threading.Thread(target=_spin, args=[world.server.url], daemon=True).start()
            return lambda: undo(client.script_kill)


def _spin(url: str) -> None:
    with broker.connect(url) as client, contextlib.suppress(redis.RedisError):
        client.eval(BUSY, 0)


def _fill(world: World, _: str) -> Heal:
    """Fill the disk of the outputs, which must be a small one of its own."""
    filler = world.folder / "out" / "filler"
    handle = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(handle, bytes(FILLER))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(handle)
    return lambda: filler.unlink(missing_ok=True)


STRIKES: dict[str, Callable[[World, str], Heal]] = {
    "flushall": _empty,
    "broker": _end_broker,
    "freeze": _freeze,
    "clock": _set_clock,
    "stalled": _stall,
    "full": _fill,
    "read-only": _refuse,
    "no": _refuse,
    "busy": _refuse,
}
