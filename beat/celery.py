"""The workers' app with the schedule: ``celery -A beat beat``, or ``celery -A beat worker -B``."""

from typing import Any

import celery.beat
import redis

from beat.schedule import entries
from tasks import ticks
from tasks.celery import app
from trailcourier import observe, wiring
from trailcourier.errors import TrailcourierError
from trailcourier.pulse import ClockPulse


class Scheduler(celery.beat.Scheduler):
    """A scheduler without a schedule file, whose ticks do not pile up in the broker."""

    producer = None  # ticks are not published through Celery, which cannot bound their number

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._pulse = ClockPulse()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        self._pulse.take()
        return float(super().tick(*args, **kwargs))

    def apply_entry(self, entry: Any, producer: None = None) -> None:  # noqa: ARG002
        try:
            if not ticks.send(entry.task, entry.args, entry.options["argsrepr"]):
                observe.fact("tick_held_back", tick=entry.name)
        except (TrailcourierError, redis.RedisError) as error:
            observe.fact("tick_not_sent", tick=entry.name, why=str(error))


app.conf.beat_scheduler = "beat.celery:Scheduler"
app.conf.beat_max_loop_interval = 5  # seconds; nothing that happens to beat lasts longer
app.conf.beat_schedule = entries(wiring.settings())
