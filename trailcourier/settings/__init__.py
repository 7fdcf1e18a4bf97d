"""Loads the configuration: one file, overridden by the environment; reports all problems at once.

Only this package reads the environment.
"""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trailcourier.errors import ConfigError
from trailcourier.settings import cross_checks, environment, problems
from trailcourier.settings.shape import Broker, Configuration, Flower, Settings, WorkerSettings
from trailcourier.settings.source import Source

__all__ = [
    "Broker",
    "Flower",
    "Settings",
    "Source",
    "WorkerSettings",
    "exists",
    "find",
    "load",
    "read_tree",
]

PLACES = (Path("trailcourier.toml"), Path("/etc/trailcourier/trailcourier.toml"))


def find() -> Path | None:
    """Return the file that ``load`` reads by default, if there is one."""
    named = environment.environ().get(environment.CONFIG)
    if named:
        return Path(named)
    return next((place for place in PLACES if place.is_file()), None)


def exists(path: Path | None = None) -> bool:
    """Return whether ``load`` finds a configuration: a file, or a variable that sets a key."""
    return bool(path or find() or environment.variables(environment.environ()).tree)


def load(
    path: Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    tables: Collection[str] = environment.SECTIONS,
) -> Settings:
    """Read the configuration from *path*, by default the file of ``find``, and the environment.

    *env* replaces the environment of this process.  A process that needs only some *tables* names
    them; then it needs no secret of the others.

    Raises ConfigError with every problem.
    """
    env = environment.environ() if env is None else env
    path = path or find()
    variables = environment.variables(env)
    if path is None and not variables.tree:
        raise ConfigError([_no_file()])
    tree = environment.merged(read_tree(path), variables.tree)
    read = {name: tree[name] for name in tree if name in tables or name not in environment.SECTIONS}
    file = str(path or "environment")
    network, wrong_egress = environment.network(env)
    wrong = [*variables.problems, *environment.foreign(env)]
    found = Configuration()
    try:
        found = Configuration.model_validate(
            environment.merged(environment.defaults(env), read), context={"environ": env}
        )
    except ValidationError as error:
        wrong += problems.lines(error, file, variables.set_by)
    if "sources" in tables:
        wrong += [f"{file}: {each}" for each in cross_checks.problems(tree)]
    wrong += problems.unknown_variables(cross_checks.unexplained(variables.unknown, tree))
    wrong += wrong_egress
    if wrong:
        raise ConfigError(wrong)
    return Settings(
        **dict(found), path=path, network=network, fail_point=env.get(environment.FAIL_POINT, "")
    )


def read_tree(path: Path | None) -> dict[str, Any]:
    """Return the tables of the file *path*, unchecked; none without a file.

    Raises ConfigError if it cannot be read, or is not TOML.
    """
    return _read(path) if path else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text (byte {error.start})"]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from error


def _no_file() -> str:
    places = ", ".join(f"./{each}" if not each.is_absolute() else str(each) for each in PLACES)
    return (
        f"no configuration: looked for {environment.CONFIG} and {places}; write one of these "
        "(`trailcourier setup apply --write FILE` does), or give a file with --config"
    )
