"""A simulator of what CloudTrail leaves in a bucket and says in a queue, all of it from a seed.

The same seed gives the same bytes.  Every shape of notice comes by every route; among them are
what a queue really holds beside: copies, notices that announce no log, and things that are wrong.
"""

import itertools
import random
from collections.abc import Iterator, Sequence

from trailcourier.demo import beside, notices
from trailcourier.demo.files import log_file
from trailcourier.demo.traffic import BUCKETS, WAYS, Group, LogFile, Notice, Traffic, notice

TOGETHER = 4  # objects in one notice, at most
COPIED = 8  # one notice in so many comes again


def simulate(seed: int, *, files: int = 120) -> Traffic:
    """*files* log files and a few more, with their notices, ready to be played."""
    rng = random.Random(seed)  # noqa: S311 - made to be repeated, not to be secret
    made = [log_file(rng, number) for number in range(files)]
    groups = [*_announced(rng, made), *beside.harmless(rng), *beside.harmful(rng)]
    timed = [(rng.random(), group) for group in groups]
    timed += _copies(rng, timed)
    timed.sort(key=lambda each: each[0])
    first = [Notice("validation", route, notices.VALIDATION) for route in ("sns", "sns-raw")]
    return Traffic(seed, (*first, *(step for _, group in timed for step in group)))


def _announced(rng: random.Random, files: Sequence[LogFile]) -> Iterator[Group]:
    """*files* in small groups of one bucket, each with its notice after it."""
    ways = itertools.chain(WAYS, iter(lambda: rng.choice(WAYS), None))
    for bucket in BUCKETS:
        waiting = [file for file in files if file.where.bucket == bucket]
        while waiting:
            shape, route = next(ways)
            most = 1 if shape == "eventbridge" else rng.randint(1, TOGETHER)
            group, waiting = waiting[:most], waiting[most:]
            yield [*group, notice(shape, route, [file.where for file in group])]


def _copies(rng: random.Random, timed: Sequence[tuple[float, Group]]) -> list[tuple[float, Group]]:
    """Some messages once more, and some objects announced again in the other shape; later."""
    copies: list[tuple[float, Group]] = []
    good = [(at, group) for at, group in timed if _is_good(group)]
    for number, (at, group) in enumerate(rng.sample(good, max(4, len(good) // COPIED))):
        objects = [step.where for step in group if isinstance(step, LogFile)]
        told = next(step for step in group if isinstance(step, Notice))
        other = notice("s3" if told.shape == "cloudtrail" else "cloudtrail", "sqs", objects)
        copies.append((rng.uniform(at, 1), [other if number % 2 else told]))
    return copies


def _is_good(group: Group) -> bool:
    """Whether *group* is log files and a notice that leads to nothing but their delivery."""
    return any(isinstance(step, LogFile) and step.records for step in group) and not any(
        isinstance(step, Notice) and step.left for step in group
    )
