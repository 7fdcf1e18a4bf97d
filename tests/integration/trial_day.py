"""A day of the clock's in a moment: ``python -m tests.integration.trial_day SECONDS``.

Beat's scheduler on a clock of our own, which moves on by what the scheduler would sleep.
"""

import sys
from types import SimpleNamespace

import beat.schedule
from beat.celery import Scheduler, app


def main() -> None:
    now, called = 0.0, 0
    beat.schedule.time = SimpleNamespace(monotonic=lambda: now)
    scheduler = Scheduler(app)
    entry = scheduler.apply_entry

    def counted(*args: object, **options: object) -> None:
        nonlocal called
        called += 1
        entry(*args, **options)

    scheduler.apply_entry = counted
    while now < float(sys.argv[1]):
        now += max(scheduler.tick(), 0.001)  # Celery counts in microseconds, and rounds down
    print(called)


if __name__ == "__main__":
    main()
