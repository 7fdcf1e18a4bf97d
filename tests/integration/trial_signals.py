"""A worker that is told to stop a second time before it has done with the first."""

import os
import signal
from typing import Any

from celery.apps import worker

say = worker.safe_say


def say_and_signal(*args: Any) -> None:
    worker.safe_say = say
    say(*args)
    os.kill(os.getpid(), signal.SIGTERM)


worker.safe_say = say_and_signal
