"""The options of Flower: behind a login, with limits, and with readable columns."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trailcourier.errors import ConfigError
from trailcourier.secret import Secret
from trailcourier.settings import Settings, environment

TABLES = ("broker", "workers", "flower")
"""The tables of the configuration that Flower gets: without queues, sinks and their secrets."""

COLUMNS = {"source": "Source", "file": "File"}
"""The columns that ``format_task`` adds to Flower's own, each with its heading."""

UNITS = {  # what the number in a task's result counts
    "trailcourier.poll": "message",
    "trailcourier.settle": "message",
    "trailcourier.maintenance": "object",
}
NOT_DELIVERED = ("parked", "pending", "refused")
NOISE = {"children", "clock", "parent", "root", "root_id", "timestamp"}

NO_LOGIN = (
    "Flower shows the name of every object, so it does not start without a login: set "
    "FLOWER_BASIC_AUTH=USER:PASSWORD or, for a file, "
    "TRAILCOURIER_FLOWER__CREDENTIALS=file:/run/secrets/flower"
)
BAD_LOGIN = (
    "a login for Flower is USER:PASSWORD, both plain ASCII and not empty; separate several logins "
    "by a comma in FLOWER_BASIC_AUTH and --basic-auth, by a new line in a file"
)


def defaults(found: Settings) -> dict[str, Any]:
    """Return the defaults of Flower's options."""
    return {
        "address": "127.0.0.1",  # its metrics page needs no login
        "read_only": True,  # a browser must not control the fleet
        "max_tasks": 10_000,  # Flower keeps them in memory
        "purge_offline_workers": 300,  # seconds; else workers that ended stay listed for ever
        "natural_time": True,
        "tasks_columns": "name,source,file,result,state,received,runtime,uuid",
        "format_task": format_task,
        "db": str(found.workers.state_dir / "flower"),  # with --persistent
        "state_save_interval": 60_000,  # milliseconds; 0 would save only at a clean end
        "logging": "none",  # Trailcourier configures the log
    }


def logins(
    found: Settings, given: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> list[str]:
    """Return the logins *given* to Flower by its own options, else those of ``[flower]``.

    Raises ConfigError, which quotes no login, if there is none, or if one has an empty part (it
    would let everybody in) or is not ASCII (it would let nobody in).  Empty logins are ignored,
    because Flower would accept them.
    """
    env = environment.environ() if env is None else env
    chosen = [login for login in given if login] or _configured(found, env)
    if not chosen:
        raise ConfigError([NO_LOGIN])
    for login in chosen:
        user, _, password = login.partition(":")
        if not (user and password and login.isascii() and login.isprintable()):
            raise ConfigError([BAD_LOGIN])
    return chosen


def _configured(found: Settings, env: Mapping[str, str]) -> list[str]:
    """Return the logins that ``flower.credentials`` names, one a line."""
    if found.flower.credentials is None:
        return []
    try:
        text = Secret(found.flower.credentials, env).reveal()
    except ValueError as error:
        where = found.path or "environment"
        raise ConfigError([f"{where}: flower.credentials: {error}"]) from error
    return [line for line in text.splitlines() if line.strip()]


def format_task(task: Any) -> Any:
    """Return *task*, a copy of Flower's own, with readable fields and without internal ones."""
    result = (task.result or "").strip("'")
    if result and (unit := UNITS.get(task.name)):
        result += f" {unit}" if result == "1" else f" {unit}s"
    if result.startswith(NOT_DELIVERED):
        task.state = result.partition(":")[
            0
        ].upper()  # the task succeeded, but the object was not delivered
    named = re.fullmatch(r"([a-z0-9-]+)(?:, .*| (s3://.*))?", task.args or "")
    task.result, task.expires, task.retries = result, None, None
    task.source, task.object = named.groups() if named else (None, None)
    task.file = (task.object or "").rpartition("/")[2]
    task._fields = ("source", "object", "file", *(x for x in task._fields if x not in NOISE))
    return task
