"""Named places at which a test may kill the process; armed by wiring, in tests only."""

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
    """Arm ``name@marker``, or several with commas between.

    The first process to come by makes the file *marker*, then dies.
    """
    for each in setting.split(","):
        name, _, marker = each.partition("@")
        if name not in POINTS:
            raise ValueError(f"no fail point is called {name!r}")
        _armed[name] = Path(marker)


def failpoint(name: str) -> None:
    """Die here, as by ``kill -9``, if armed and nobody has died here yet."""
    marker = _armed.get(name)
    if marker is None:
        return
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
