"""The choices of the last ``setup apply``, which the next command takes for granted.

They lie in a file of this user, one entry for each profile and name. No choice is a secret; the
external id and the access key are references and paths.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from trailcourier.provision import SetupRequest
from trailcourier.provision.option_text import format_option
from trailcourier.settings import environment

FILE = "setup.json"
OWN = (
    "write",
    "sink",
    "secret_file",
    "external_id",
)  # options of apply that are not of the request
Choices = Mapping[str, Any]


def load(profile: str, name: str) -> Choices:
    """Return the choices that the last apply of *name* was called with; empty without one."""
    found = _read().get(_key(profile, name), {})
    known = {field.name for field in msgspec.structs.fields(SetupRequest)} | set(OWN)
    return {option: value for option, value in found.items() if option in known}


def save(profile: str, request: SetupRequest, own: Choices, account: str) -> None:
    """Remember the choices of *request*, those of apply's *own* options, and the *account*."""
    default = SetupRequest()
    fields = {
        field.name: getattr(request, field.name)
        for field in msgspec.structs.fields(SetupRequest)
        if getattr(request, field.name) != getattr(default, field.name)
    }
    chosen = {**fields, "account": account, **{name: value for name, value in own.items() if value}}
    _write({**_read(), _key(profile, request.name): msgspec.to_builtins(chosen)})


def forget(profile: str, name: str) -> None:
    """Forget the choices of *name*, once it is destroyed."""
    every = _read()
    if every.pop(_key(profile, name), None) is not None:
        _write(every)


def describe(name: str, taken: Choices) -> Iterator[str]:
    """Yield which choices were *taken* from the last apply, for a person to object."""
    words = " ".join(
        word for option, value in taken.items() for word in format_option(option, value)
    )
    if words:
        yield f"as at the last apply of {name}: {words} (--fresh ignores it)"


def list_undone(remembered: Choices, given: Choices) -> Iterator[str]:
    """Yield each remembered choice that the options *given* contradict."""
    for option, value in remembered.items():
        if option in given and _comparable(given[option]) != _comparable(value):
            before = " ".join(format_option(option, value))
            yield (
                f"{before} was chosen at the last apply and is not now: what only that choice "
                "needs stays; `setup destroy` with the earlier options removes it"
            )


def _comparable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    return str(value.absolute()) if isinstance(value, Path) else value


def _key(profile: str, name: str) -> str:
    return f"{profile}/{name}"


def _path() -> Path:
    return environment.state_folder(environment.environ()) / FILE


def _read() -> dict[str, Any]:
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(every: Choices) -> None:
    path = _path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = path.with_suffix(".new")
        written.write_text(json.dumps(every, indent=2), encoding="utf-8")
        written.replace(path)
    except OSError as error:
        print(
            f"trailcourier: the choices are not remembered: {path} cannot be written: "
            f"{error.strerror}: give the same options next time, or set XDG_STATE_HOME",
            file=sys.stderr,
        )
