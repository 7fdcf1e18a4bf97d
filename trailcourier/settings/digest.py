"""The digest of a configuration, by which hosts see whether they have the same one.

Settings that may differ between the processes of a fleet are left out.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from trailcourier.secret import Secret
from trailcourier.settings.shape import Settings

OWN_NUMBERS = frozenset({"receive_wait", "memory_mib"})
"""Of ``[line]``: `run --drain` sets its own wait for receives, and hosts differ in memory."""

OWN_OF_SINKS = frozenset({"ca_file"})
"""Of a sink: hosts may keep certificates, like secrets, in different places."""


def digest(found: Settings) -> str:
    """Return twelve hexadecimal digits for the settings that decide how the line works.

    These are sources, sinks, the line's numbers and the broker's namespace.  Every secret counts as
    the same: hosts may keep it in different places, and nothing of it may leave the process.
    """
    settings = {
        "namespace": found.broker.namespace,
        "line": found.numbers.model_dump(exclude=set(OWN_NUMBERS)),
        "sources": {name: each.model_dump() for name, each in found.sources.items()},
        "sinks": {
            name: each.model_dump(exclude=set(OWN_OF_SINKS)) for name, each in found.sinks.items()
        },
    }
    text = json.dumps(settings, sort_keys=True, default=_plain)
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
            raise TypeError(f"a setting of the type {type(value).__name__} cannot be digested")
