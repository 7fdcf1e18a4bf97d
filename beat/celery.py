"""The workers' app with the schedule: ``celery -A beat beat``, or ``celery -A beat worker -B``."""

from typing import Any

import celery.beat

from beat.schedule import entries
from tasks.celery import app
from trailcourier import observe, wiring


class Scheduler(celery.beat.Scheduler):
    """One that keeps no file, and says in one line what Celery's says in two tracebacks."""

    def apply_entry(self, entry: celery.beat.ScheduleEntry, producer: Any = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except celery.beat.SchedulingError as error:
            observe.fact("tick_not_sent", tick=entry.name, why=str(error.__context__ or error))


app.conf.beat_scheduler = "beat.celery:Scheduler"
app.conf.beat_schedule = entries(wiring.settings())
