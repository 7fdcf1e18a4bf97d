"""The configuration: one file, the environment over it, and every problem said at once.

Only this package reads the environment.
"""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trailcourier.errors import ConfigError
from trailcourier.settings import across, environment, problems
from trailcourier.settings.shape import Broker, Configuration, Flower, Settings, Workers
from trailcourier.settings.source import Source

__all__ = ["Broker", "Flower", "Settings", "Source", "Workers", "find", "load"]

PLACES = (Path("trailcourier.toml"), Path("/etc/trailcourier/trailcourier.toml"))


def find() -> Path | None:
    """Return the file that ``load`` reads when it is given none, if there is one."""
    named = environment.environ().get(environment.CONFIG)
    if named:
        return Path(named)
    return next((place for place in PLACES if place.is_file()), None)


def load(
    path: Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    tables: Collection[str] = environment.SECTIONS,
) -> Settings:
    """Read the configuration from *path*, else where ``find`` says, and from the environment.

    *env* stands in for the environment of this process.  A process that needs no more than some
    *tables* is given no more, and is not asked for the secrets that others name.

    Raises ConfigError with every problem there is.
    """
    env = environment.environ() if env is None else env
    path = path or find()
    said = environment.variables(env)
    if path is None and not said.tree:
        raise ConfigError([_nowhere()])
    tree = environment.merged(_read(path) if path else {}, said.tree)
    read = {name: tree[name] for name in tree if name in tables or name not in environment.SECTIONS}
    file = str(path or "environment")
    egress, wrong_egress = environment.egress(env)
    wrong = [*said.problems, *environment.foreign(env)]
    found = Configuration()
    try:
        found = Configuration.model_validate(
            environment.merged(environment.defaults(env), read), context={"environ": env}
        )
    except ValidationError as error:
        wrong += problems.told(error, file, said.said_by)
    if "sources" in tables:
        wrong += [f"{file}: {each}" for each in across.problems(tree)]
    wrong += problems.strangers(across.unexpected(said.strangers, tree))
    wrong += wrong_egress
    if wrong:
        raise ConfigError(wrong)
    return Settings(
        **dict(found), path=path, egress=egress, fail_point=env.get(environment.FAIL_POINT, "")
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text (byte {error.start})"]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from error


def _nowhere() -> str:
    places = ", ".join(f"./{each}" if not each.is_absolute() else str(each) for each in PLACES)
    return (
        f"no configuration: looked for {environment.CONFIG} and {places}; write one of these "
        "(`trailcourier setup apply --write FILE` does), or name a file with --config"
    )
