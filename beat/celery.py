"""The workers' app with the schedule: ``celery -A beat beat``, or ``celery -A beat worker -B``."""

from typing import Any

import celery.beat
import redis

from beat.schedule import entries
from tasks.celery import app
from trailcourier import observe, wiring
from trailcourier.pulse import ClockPulse


class Scheduler(celery.beat.Scheduler):
    """One that keeps no schedule file, and says in a line what Celery's says in two tracebacks."""

    _closed = False

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._pulse = ClockPulse()

    def close(self) -> None:
        """Celery calls this where a signal to stop is handled, amid a tick perhaps.

        What the tick is using is closed under it.  Where that fails, Celery does not come to its
        SystemExit, so the next tick raises it.
        """
        self._closed = True
        super().close()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        if self._closed:
            raise SystemExit
        self._pulse.take()
        return float(super().tick(*args, **kwargs))

    def apply_entry(self, entry: celery.beat.ScheduleEntry, producer: Any = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
            self._pulse.ticked(*(entry.args or ())[:1])
        except celery.beat.SchedulingError as error:
            observe.fact("tick_not_sent", tick=entry.name, why=str(error.__context__ or error))
        except redis.RedisError as error:
            observe.fact("tick_not_sent", tick=entry.name, why=str(error))


app.conf.beat_scheduler = "beat.celery:Scheduler"
app.conf.beat_schedule = entries(wiring.settings())
