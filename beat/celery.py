"""The workers' app with the schedule: ``celery -A beat beat``, or ``celery -A beat worker -B``."""

from beat.schedule import entries
from tasks.celery import app
from trailcourier import wiring

app.conf.beat_schedule = entries(wiring.settings())
