"""Publishes chords as a poll does: ``python -m tests.integration.trial_publish``.

Reads a number of works a line, publishes a chord of so many, and answers ``published``.
"""

import sys

from tasks.line import publish, queue_idle
from trailcourier.line.work import Work


def main() -> None:
    for line in sys.stdin:
        works = [Work("prod", "m1", i, 1, f"s3://bucket/key-{i}\n") for i in range(int(line))]
        publish("prod", works, ["m1"])
        print(f"published, idle: {queue_idle()}", flush=True)


if __name__ == "__main__":
    main()
