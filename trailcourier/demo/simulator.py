"""Simulates CloudTrail's files in a bucket and messages in a queue, from a seed.

The same seed gives the same bytes.  Every notification format arrives by every route.  As in a real
queue there are also copies, messages that announce no log, and messages and files that are wrong.
"""

import itertools
import random
from collections.abc import Iterator, Sequence

from trailcourier.demo import noise, notification_bodies
from trailcourier.demo.files import log_file
from trailcourier.demo.traffic import (
    BUCKETS,
    WAYS,
    Group,
    LogFile,
    SentMessage,
    Traffic,
    sent_message,
)

MOST_OBJECTS = 4  # in one notification
COPY_EVERY = 8  # one message in so many is sent again


def simulate(seed: int, *, files: int = 120) -> Traffic:
    """Return *files* log files and a few more, with their messages, in playing order."""
    rng = random.Random(seed)  # noqa: S311 - made to be repeated, not to be secret
    made = [log_file(rng, number) for number in range(files)]
    groups = [*_announce(rng, made), *noise.harmless_traffic(rng), *noise.refused_traffic(rng)]
    timed = [(rng.random(), group) for group in groups]
    timed += _copies(rng, timed)
    timed.sort(key=lambda each: each[0])
    first = [
        SentMessage("validation", route, notification_bodies.VALIDATION)
        for route in ("sns", "sns-raw")
    ]
    return Traffic(seed, (*first, *(step for _, group in timed for step in group)))


def _announce(rng: random.Random, files: Sequence[LogFile]) -> Iterator[Group]:
    """Yield *files* in small groups of one bucket, each followed by its message."""
    ways = itertools.chain(WAYS, iter(lambda: rng.choice(WAYS), None))
    for bucket in BUCKETS:
        waiting = [file for file in files if file.location.bucket == bucket]
        while waiting:
            kind, route = next(ways)
            most = 1 if kind == "eventbridge" else rng.randint(1, MOST_OBJECTS)
            group, waiting = waiting[:most], waiting[most:]
            yield [*group, sent_message(kind, route, [file.location for file in group])]


def _copies(rng: random.Random, timed: Sequence[tuple[float, Group]]) -> list[tuple[float, Group]]:
    """Repeat some messages later, and announce some objects again in another format."""
    copies: list[tuple[float, Group]] = []
    good = [(at, group) for at, group in timed if _is_good(group)]
    for number, (at, group) in enumerate(rng.sample(good, max(4, len(good) // COPY_EVERY))):
        objects = [step.location for step in group if isinstance(step, LogFile)]
        first = next(step for step in group if isinstance(step, SentMessage))
        other = sent_message("s3" if first.kind == "cloudtrail" else "cloudtrail", "sqs", objects)
        copies.append((rng.uniform(at, 1), [other if number % 2 else first]))
    return copies


def _is_good(group: Group) -> bool:
    """Return whether *group* is log files and a message that only leads to their delivery."""
    return any(isinstance(step, LogFile) and step.records for step in group) and not any(
        isinstance(step, SentMessage) and step.kept_mark for step in group
    )
