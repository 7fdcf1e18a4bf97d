"""What the clock calls for, and how often."""

import datetime as dt
import time
from typing import Any

from celery.schedules import schedule

from trailcourier.settings import Settings

POLL = 1.0
"""Seconds; a tick that finds its poller at work costs one look at its lease."""


def entries(settings: Settings) -> dict[str, dict[str, Any]]:
    """The beat schedule of *settings*: every poller of every source, and its tend."""
    found: dict[str, dict[str, Any]] = {}
    for name, source in settings.sources.items():
        for slot in range(source.pollers):
            shown = name if source.pollers == 1 else f"{name}, poller {slot + 1}"
            found[f"poll {name} {slot}"] = _every(POLL, "poll", name, slot, shown=shown)
        found[f"tend {name}"] = _every(settings.line.tend, "tend", name, shown=name)
    return found


def steady() -> dt.datetime:
    """The time since the host started, as the date that Celery's schedules count in.

    They count by the wall clock otherwise: set back by an hour, it would keep beat silent for one.
    """
    return dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=time.monotonic())


def _every(seconds: float, task: str, *args: object, shown: str) -> dict[str, Any]:
    """One entry; *shown* is what Flower shows of its arguments."""
    return {
        "task": f"trailcourier.{task}",
        "schedule": schedule(float(seconds), nowfun=steady),
        "args": args,
        "options": {"argsrepr": shown},
    }
