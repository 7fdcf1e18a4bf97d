"""Tasks that only tests have; a worker takes them with ``-I tests.integration.trial``."""

import time
from pathlib import Path

from tasks.celery import app
from tests.support.fleet import until
from trailcourier.wiring import stopping


@app.task(name="trial.hold", queue="objects", acks_late=True)
def hold(folder: str, seconds: float) -> str:
    """Work that looks at no flag."""
    Path(folder, "holds").touch()
    time.sleep(seconds)
    return "delivered"


@app.task(name="trial.held", queue="objects", acks_late=True)
def held(folder: str) -> str:
    """Work that lasts until somebody releases it."""
    Path(folder, "holds").touch()
    until(Path(folder, "release").exists, seconds=60)
    return "delivered"


@app.task(name="trial.stoppable", queue="objects", acks_late=True)
def stoppable(folder: str) -> str:
    """Work that looks at the flag, as a forward does between batches."""
    Path(folder, "holds").touch()
    Path(folder, "stopped").write_text(str(stopping.wait(60)))
    return "pending"


@app.task(name="trial.stoppable_in", queue="objects", acks_late=True)
def stoppable_in(folder: str, seconds: float) -> str:
    """Work that takes so many seconds to stop."""
    Path(folder, "holds").touch()
    stopping.wait(60)
    time.sleep(seconds)
    return "pending"


@app.task(name="trial.done", queue="objects")
def done(outcomes: list[str], folder: str) -> None:
    """A chord's body."""
    Path(folder, "done").write_text(" ".join(outcomes))
