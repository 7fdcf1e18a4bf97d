"""Celery on a host whose wall clock is set: ``python -m tests.integration.trial_wall ARGUMENTS``.

The file that WALL_CLOCK names says how many seconds the clock is ahead.  Monotonic clocks go on as
they do on a host whose clock is set.  WALL_PULSE, if it is there, is how many seconds lie
between two times that the process says it is alive.
"""

import datetime as dt
import os
import time
from pathlib import Path
from typing import Any

_FILE = Path(os.environ["WALL_CLOCK"])
_real, _date = time.time, dt.datetime


def _time() -> float:
    return _real() + float(_FILE.read_text())


class _LikeAnyDate(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _date)


class _Date(_date, metaclass=_LikeAnyDate):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(_time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.fromtimestamp(_time(), dt.UTC).replace(tzinfo=None)


time.time, dt.datetime = _time, _Date

if __name__ == "__main__":
    if "WALL_PULSE" in os.environ:
        from trailcourier.worker import presence

        presence.INTERVAL = float(os.environ["WALL_PULSE"])

    from celery.__main__ import main

    main()
