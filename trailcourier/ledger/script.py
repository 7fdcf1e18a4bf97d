"""The Lua scripts of the ledger: each is a file of ``scripts/`` behind the parts it includes.

A script's header gives its KEYS, its ARGV, its answer, and why it may run twice.  A line such as
``-- include: clock, kept_answer`` names parts, which are files of ``scripts/shared/``; a part may
include others.  Each part appears once, after the parts it includes itself, so a script defines
only what it needs.
"""

import hashlib
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

FOLDER = resources.files("trailcourier.ledger") / "scripts"
_INCLUDE = re.compile(r"^-- include: (.+)$", re.MULTILINE)


class Part(NamedTuple):
    """A piece of a script, and the file of ``scripts/`` that holds it."""

    file: str
    text: str


class Script:
    """The script ``scripts/<name>.lua`` as it is sent to Redis; *text* replaces the file."""

    def __init__(self, name: str, text: str | None = None) -> None:
        own = _read(f"{name}.lua") if text is None else Part(f"{name}.lua", text)
        self.name = name
        self.parts = assemble(own)
        self.text = "".join(part.text for part in self.parts)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def scripts() -> tuple[Script, ...]:
    """Return every script of the ledger."""
    files = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith(".lua"))
    return tuple(Script(name.removesuffix(".lua")) for name in files)


def assemble(script: Part) -> tuple[Part, ...]:
    """Return the parts that *script* includes, then *script* itself."""
    found: dict[str, Part] = {}
    _include(script, found)
    return tuple(found.values())


def _include(part: Part, found: dict[str, Part]) -> None:
    for names in _INCLUDE.findall(part.text):
        for name in names.split(", "):
            if (file := f"shared/{name}.lua") not in found:
                _include(_read(file), found)
    found[part.file] = part


@cache
def _read(file: str) -> Part:
    return Part(file, (FOLDER / file).read_text("utf-8"))
