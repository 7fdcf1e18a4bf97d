"""The processes of a fleet on one host: the Celery commands that a larger fleet runs by hand."""

import sys
from collections.abc import Mapping
from typing import Literal

import msgspec

from trailcourier.settings import environment

# variables that the celery command takes as options, and others that Celery obeys
FOREIGN = frozenset({"APP", *environment.FOREIGN})

# the module that imports all others of a command; Flower's app needs Celery's flower command first
FIRST = {"worker": "tasks.line", "beat": "beat.celery", "flower": "tasks.flower"}

# Celery warns of pickle messages run as root; ours are JSON, and containers often run as root
AS_ROOT = "ignore:You're running the worker with superuser"


class ProcessSpec(msgspec.Struct, frozen=True):
    """One process; processes of one *role* are stopped together.

    *stdout* is ``ours`` to inherit it, so that the lines of a stdout sink arrive whole, or ``log``
    to join it with stderr.  *grace* is the number of seconds it may take to stop.  *keep* are file
    descriptors that it inherits.
    """

    name: str
    role: str
    argv: tuple[str, ...]
    stdout: Literal["ours", "log"] = "log"
    grace: float = 30
    environment: Mapping[str, str] = {}
    keep: tuple[int, ...] = ()


def process_specs(*, processes: int) -> list[ProcessSpec]:
    """Return the workers and beat in the order they start; *processes* are object workers."""
    objects = [_objects(number) for number in range(1, processes + 1)]
    control = ProcessSpec("control", "control", _celery("tasks", "worker", "-Q", "control"))
    beat = ProcessSpec("beat", "beat", _celery("beat", "beat", "--pidfile="), grace=5)
    return [*objects, control, beat]


def _objects(number: int) -> ProcessSpec:
    name = f"objects-{number}"
    argv = _celery("tasks", "worker", "-Q", "objects", "-n", f"{name}@%h")
    return ProcessSpec(name, "objects", argv, stdout="ours")


def flower(*, port: int, user: str, password: str) -> ProcessSpec:
    """Return Flower, which listens on the loopback; its password is on no command line."""
    argv = _celery("tasks", "flower", f"--port={port}")
    environment = {"FLOWER_BASIC_AUTH": f"{user}:{password}"}
    return ProcessSpec("flower", "flower", argv, grace=5, environment=environment)


def clean_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return *env* without variables that Celery would obey instead of our configuration."""
    return {
        name: value
        for name, value in env.items()
        if name not in FOREIGN and not name.startswith("CELERY_")
    }


def _celery(app: str, *command: str) -> tuple[str, ...]:
    """Return the arguments for ``celery -A app command``.

    Celery looks for modules in the working directory first, where another program's ``tasks`` may
    be; so ours is imported before.
    """
    start = f"import {FIRST[command[0]]}; from celery.__main__ import main; main()"
    return (sys.executable, "-P", "-W", AS_ROOT, "-c", start, "-q", "-A", app, *command)
