"""One short name for a configuration, by which two hosts see whether they have the same.

A setting that is one process's own may differ within a fleet, so it is left out.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from trailcourier.secret import Secret
from trailcourier.settings.shape import Settings

OWN_NUMBERS = frozenset({"receive_wait", "memory_mib"})
"""Of ``[line]``: `run --drain` receives with a wait of its own, and hosts differ in memory."""

OWN_OF_SINKS = frozenset({"ca_file"})
"""Of a sink: hosts may keep certificates in different places, as they may secrets."""


def digest(found: Settings) -> str:
    """Twelve hexadecimal digits for what decides how the line works.

    That is sources, sinks, the line's numbers and the broker's namespace.  A secret counts as one
    and no more: hosts may keep it in different places, and nothing of it may leave the process.
    """
    told = {
        "namespace": found.broker.namespace,
        "line": found.line.model_dump(exclude=set(OWN_NUMBERS)),
        "sources": {name: each.model_dump() for name, each in found.sources.items()},
        "sinks": {
            name: each.model_dump(exclude=set(OWN_OF_SINKS)) for name, each in found.sinks.items()
        },
    }
    text = json.dumps(told, sort_keys=True, default=_plain)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _plain(value: Any) -> Any:
    match value:
        case Secret():
            return "secret"
        case Path():
            return str(value)
        case set() | frozenset():
            return sorted(value)
        case _:
            raise TypeError(f"a setting of the type {type(value).__name__} has no text")
