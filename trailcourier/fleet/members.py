"""The processes of a fleet: the commands of Celery's that an operator gives by hand elsewhere."""

import sys
from collections.abc import Mapping
from typing import Literal

import msgspec

from trailcourier.settings import environment

# what the celery command reads as options of its own, and what else it obeys
FOREIGN = frozenset({"APP", *environment.FOREIGN})

# what holds all of a command's modules; Flower's app is made once Celery knows that it is Flower's
FIRST = {"worker": "tasks.line", "beat": "beat.celery", "flower": "tasks.flower"}

# Celery fears what pickle lets a message do as root; ours are JSON, and containers often are root
AS_ROOT = "ignore:You're running the worker with superuser"


class Member(msgspec.Struct, frozen=True):
    """One process; those of one *role* are stopped together.

    *stdout*: ``ours`` is inherited, so that a stdout sink's lines go there whole; ``log`` goes
    where stderr goes.  *grace* is how many seconds it may take to stop.  *keep* are descriptors of
    files that it holds open too.
    """

    name: str
    role: str
    argv: tuple[str, ...]
    stdout: Literal["ours", "log"] = "log"
    grace: float = 30
    environment: Mapping[str, str] = {}
    keep: tuple[int, ...] = ()


def members(*, processes: int) -> list[Member]:
    """The workers and the clock, in the order they start: *processes* carry objects."""
    objects = [_objects(number) for number in range(1, processes + 1)]
    control = Member("control", "control", _celery("tasks", "worker", "-Q", "control"))
    beat = Member("beat", "beat", _celery("beat", "beat", "--pidfile="), grace=5)
    return [*objects, control, beat]


def _objects(number: int) -> Member:
    name = f"objects-{number}"
    argv = _celery("tasks", "worker", "-Q", "objects", "-n", f"{name}@%h")
    return Member(name, "objects", argv, stdout="ours")


def flower(*, port: int, user: str, password: str) -> Member:
    """Flower, which is on the loopback by itself; its password is on no command line."""
    argv = _celery("tasks", "flower", f"--port={port}")
    environment = {"FLOWER_BASIC_AUTH": f"{user}:{password}"}
    return Member("flower", "flower", argv, grace=5, environment=environment)


def surroundings(around: Mapping[str, str]) -> dict[str, str]:
    """*around* without what Celery would read there in place of our configuration."""
    return {
        name: value
        for name, value in around.items()
        if name not in FOREIGN and not name.startswith("CELERY_")
    }


def _celery(app: str, *command: str) -> tuple[str, ...]:
    """Say ``celery -A app command``, whatever lies in the working directory.

    Celery looks there first, and may find another program's ``tasks``; so ours is imported before
    it looks.
    """
    start = f"import {FIRST[command[0]]}; from celery.__main__ import main; main()"
    return (sys.executable, "-P", "-W", AS_ROOT, "-c", start, "-q", "-A", app, *command)
