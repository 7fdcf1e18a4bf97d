"""The workers' app with the schedule: ``celery -A beat beat``, or ``celery -A beat worker -B``."""

from typing import Any

import celery.beat
import redis

from beat.schedule import entries
from tasks import departure, ticks
from tasks.celery import app
from trailcourier import wiring
from trailcourier.errors import TrailcourierError
from trailcourier.observability import log
from trailcourier.worker.presence import BeatPresence


class Scheduler(celery.beat.Scheduler):
    """A scheduler without a schedule file; its ticks do not pile up in the broker."""

    producer = None  # Celery cannot bound the ticks that wait, so tasks.ticks publishes them

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._presence = BeatPresence()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        self._presence.beat_if_due()
        return float(super().tick(*args, **kwargs))

    def close(self) -> None:
        departure.watch()
        self._presence.leave()
        super().close()

    def apply_entry(self, entry: Any, producer: None = None) -> None:  # noqa: ARG002
        try:
            if not ticks.send(entry.task, entry.args, entry.options["argsrepr"]):
                log.emit("tick_held_back", tick=entry.name)
        except (TrailcourierError, redis.RedisError) as error:
            log.emit("tick_not_sent", tick=entry.name, why=str(error))


app.conf.beat_scheduler = "beat.celery:Scheduler"
app.conf.beat_max_loop_interval = 5  # seconds; bounds any effect of a changed clock
app.conf.beat_schedule = entries(wiring.settings())
