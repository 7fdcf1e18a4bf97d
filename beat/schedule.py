"""The schedule: which tasks beat starts, and how often."""

import datetime as dt
import time
from typing import Any

from celery.schedules import schedule

from trailcourier.settings import Settings

POLL = 1.0
"""Seconds between two ticks of a poller; one that finds the poller at work costs one request."""


def entries(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the beat schedule of *settings*: each poller of each source, and its maintenance."""
    found: dict[str, dict[str, Any]] = {}
    for name, source in settings.sources.items():
        for slot in range(source.pollers):
            shown = name if source.pollers == 1 else f"{name}, poller {slot + 1}"
            found[f"poll {name} {slot}"] = _every(POLL, "poll", name, slot, shown=shown)
        found[f"maintenance {name}"] = _every(
            settings.line.expert.maintenance, "maintenance", name, shown=name
        )
    return found


def steady() -> dt.datetime:
    """Return the time since the host started, as a date, which Celery's schedules need.

    By default they use the wall clock: set back by an hour, it would stop beat for an hour.
    """
    return dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=time.monotonic())


def _every(seconds: float, task: str, *args: object, shown: str) -> dict[str, Any]:
    """Return one entry; *shown* is what Flower shows of its arguments."""
    return {
        "task": f"trailcourier.{task}",
        "schedule": schedule(float(seconds), nowfun=steady),
        "args": args,
        "options": {"argsrepr": shown},
    }
