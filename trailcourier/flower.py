"""Flower as an operator is to meet it: behind a login, with limits, and in words."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trailcourier.errors import ConfigError
from trailcourier.secret import Secret
from trailcourier.settings import Settings, environment

TABLES = ("broker", "workers", "flower")
"""What it is given of the configuration: no queue and no sink, so none of their secrets."""

COLUMNS = {"source": "Source", "file": "File"}
"""The columns that ``shown`` adds to Flower's own, each with its heading."""

UNITS = {  # what a task's result counts
    "trailcourier.poll": "message",
    "trailcourier.settle": "message",
    "trailcourier.tend": "object",
}
UNDONE = ("parked", "pending", "refused")
NOISE = {"children", "clock", "parent", "root", "root_id", "timestamp"}

NONE = (
    "Flower shows every object by name, so it does not start without a login: set "
    "FLOWER_BASIC_AUTH=USER:PASSWORD or, for a file, "
    "TRAILCOURIER_FLOWER__CREDENTIALS=file:/run/secrets/flower"
)
UNUSABLE = (
    "a login of Flower's is USER:PASSWORD, both of plain ASCII and neither empty; in "
    "FLOWER_BASIC_AUTH and --basic-auth a comma begins another login, in a file a new line does"
)


def defaults(found: Settings) -> dict[str, Any]:
    """Return Flower's options as they are where it is not told otherwise."""
    return {
        "address": "127.0.0.1",  # its metrics ask for no login
        "read_only": True,  # a fleet is not steered from a browser
        "max_tasks": 10_000,  # all that is shown of them lies in memory
        "purge_offline_workers": 300,  # seconds; else the dead stay listed for ever
        "natural_time": True,
        "tasks_columns": "name,source,file,result,state,received,runtime,uuid",
        "format_task": shown,
        "db": str(found.workers.state_dir / "flower"),  # with --persistent
        "state_save_interval": 60_000,  # milliseconds; 0 is at a clean end only
        "logging": "none",  # ours instead
    }


def logins(
    found: Settings, given: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> list[str]:
    """Return the logins *given* to Flower by its own options, else those of ``[flower]``.

    Raises ConfigError, without a word of them, where there is none, or one that keeps nobody out
    or, as it is not ASCII, everybody.  An empty one counts for none; to Flower it is one.
    """
    env = environment.environ() if env is None else env
    wanted = [login for login in given if login] or _configured(found, env)
    if not wanted:
        raise ConfigError([NONE])
    for login in wanted:
        user, _, password = login.partition(":")
        if not (user and password and login.isascii() and login.isprintable()):
            raise ConfigError([UNUSABLE])
    return wanted


def _configured(found: Settings, env: Mapping[str, str]) -> list[str]:
    """Return what ``flower.credentials`` names, a login a line."""
    if found.flower.credentials is None:
        return []
    try:
        text = Secret(found.flower.credentials, env).reveal()
    except ValueError as error:
        where = found.path or "environment"
        raise ConfigError([f"{where}: flower.credentials: {error}"]) from error
    return [line for line in text.splitlines() if line.strip()]


def shown(task: Any) -> Any:
    """*task*, a copy of Flower's own, as its pages show it: in words, and without noise."""
    result = (task.result or "").strip("'")
    if result and (unit := UNITS.get(task.name)):
        result += f" {unit}" if result == "1" else f" {unit}s"
    if result.startswith(UNDONE):
        task.state = result.partition(":")[0].upper()  # it succeeded, as a task, and no further
    named = re.fullmatch(r"([a-z0-9-]+)(?:, .*| (s3://.*))?", task.args or "")
    task.result, task.expires, task.retries = result, None, None
    task.source, task.object = named.groups() if named else (None, None)
    task.file = (task.object or "").rpartition("/")[2]
    task._fields = ("source", "object", "file", *(x for x in task._fields if x not in NOISE))
    return task
