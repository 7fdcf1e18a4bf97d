"""A clock that is told to stop in the middle of a tick, where its connection cannot be closed."""

import signal
from typing import Any

from celery.beat import ScheduleEntry, SchedulingError

import beat.celery
from beat.celery import app

__all__ = ["app"]


class Scheduler(beat.celery.Scheduler):
    """Celery's handler closes what the tick it interrupts is using; here that fails, once."""

    _failed = False

    def apply_async(self, entry: ScheduleEntry, *args: Any, **options: Any) -> Any:
        if not self._failed:
            try:
                signal.raise_signal(signal.SIGTERM)
            except ValueError as error:
                raise SchedulingError("no tick") from error
        return super().apply_async(entry, *args, **options)

    def close(self) -> None:
        super().close()
        if not self._failed:
            self._failed = True
            raise ValueError("I/O operation on closed file.")


app.conf.beat_scheduler = "tests.integration.trial_clock:Scheduler"
