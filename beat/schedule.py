"""What the clock calls for, and how often."""

from typing import Any

from trailcourier.settings import Settings

POLL = 1.0
"""Seconds; a tick that finds its poller at work costs one look at its lease."""

# A tick nobody takes is worth nothing to whoever comes later.  Its end is compared with another
# host's clock, so a shorter life would be none at all where that clock is a second ahead.
OPTIONS = {"queue": "control", "expires": 10}


def entries(settings: Settings) -> dict[str, dict[str, Any]]:
    """The beat schedule of *settings*: every poller of every source, and its tend."""
    schedule: dict[str, dict[str, Any]] = {}
    for name, source in settings.sources.items():
        for slot in range(source.pollers):
            shown = name if source.pollers == 1 else f"{name}, poller {slot + 1}"
            schedule[f"poll {name} {slot}"] = _every(POLL, "poll", name, slot, shown=shown)
        schedule[f"tend {name}"] = _every(settings.line.tend, "tend", name, shown=name)
    return schedule


def _every(seconds: float, task: str, *args: object, shown: str) -> dict[str, Any]:
    """One entry; *shown* is what Flower shows of its arguments."""
    return {
        "task": f"trailcourier.{task}",
        "schedule": float(seconds),
        "args": args,
        "options": OPTIONS | {"argsrepr": shown, "kwargsrepr": ""},
    }
