"""Write a request as the options of a command line; pure."""

import shlex
from collections.abc import Iterator
from typing import Any

import msgspec

from trailcourier.provision.request import SetupRequest


def format_command(verb: str, request: SetupRequest) -> str:
    """Return the command line that runs *verb* with the options of *request*."""
    return shlex.join(["trailcourier", "setup", verb, *list_options(request)])


def list_options(request: SetupRequest) -> Iterator[str]:
    """Yield the options that *request* has and a request without options has not."""
    default = SetupRequest()
    for field in msgspec.structs.fields(SetupRequest):
        value = getattr(request, field.name)
        if value != getattr(default, field.name):
            yield from format_option(field.name, value)


def format_option(name: str, value: Any) -> Iterator[str]:
    """Yield the words that give the option of the field *name* this *value*."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        yield option if value else option.replace("--", "--no-", 1)
        return
    for each in value if isinstance(value, tuple | list) else (value,):
        yield from (option, str(each))
