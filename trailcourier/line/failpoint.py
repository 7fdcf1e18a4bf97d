"""Named points at which a test may kill the process; wiring arms them, in tests only."""

import os
import signal
from pathlib import Path

POINTS = frozenset(
    {
        "after-receive",
        "after-admit",
        "after-publish",
        "after-brpop",
        "after-take",
        "at-claim",
        "between-batches",
        "before-outcome",
        "after-outcome",
        "before-delete",
        "after-delete",
        "at-chord-claim",
        "after-chord-publish",
    }
)

_armed: dict[str, Path] = {}


def arm(setting: str) -> None:
    """Arm ``name@marker``, or several separated by commas.

    The first process that reaches the point creates the file *marker* and dies.
    """
    for each in setting.split(","):
        name, _, marker = each.partition("@")
        if name not in POINTS:
            raise ValueError(f"there is no fail point {name!r}")
        _armed[name] = Path(marker)


def failpoint(name: str) -> None:
    """Die here as by ``kill -9``, if this point is armed and no process has died here yet."""
    marker = _armed.get(name)
    if marker is None:
        return
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
