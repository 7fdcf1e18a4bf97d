"""Many seeds, over several processes: what failed, how fast it went, and what was struck."""

import time
import traceback
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from typing import NamedTuple

from tests.simulation.hub import NotRun, run_all
from tests.simulation.jobs import side_by_side
from tests.simulation.planner import plan
from tests.simulation.run import Result
from tests.simulation.server import Server
from tests.simulation.strikes import kinds
from tests.simulation.tell import tell_smallest


class Told(NamedTuple):
    """What one seed came to, small enough to pass between processes."""

    seed: int
    profile: str
    failures: tuple[tuple[str, str], ...]
    met: dict[tuple[str, str], int]
    points: tuple[str, ...]
    simulated: float
    raised: str = ""  # the traceback of what kept it from being run to its end


Asked = tuple[int, str, tuple[str, ...]]
"""A seed, a profile or "", and what is left out."""


def _run(asked: Iterable[Asked]) -> Generator[Told, None, None]:
    """Run all that is *asked*, on a server of one's own."""
    server = Server()
    results = run_all((plan(*each) for each in asked), server)
    try:
        yield from map(_told, results)
    finally:
        results.close()
        server.close()


def _told(result: Result | NotRun) -> Told:
    if isinstance(result, NotRun):
        said = "".join(traceback.format_exception(result.error))
        return Told(result.plan.seed, result.plan.profile, (), {}, (), 0, said)
    failures = tuple((each.kind, each.told) for each in result.failures)
    given = result.plan
    return Told(given.seed, given.profile, failures, result.met, result.points, result.simulated)


def many(
    seeds: Sequence[int], profile: str, *, jobs: int, most: int, until_failure: bool = False,
    without: tuple[str, ...] = (),
) -> int:  # fmt: skip
    """Run *seeds*, tell what came of them, and answer 1 if one failed."""
    began = time.perf_counter()
    total = Total(most)
    asked = [(seed, profile, without) for seed in seeds]
    results = _run(asked) if jobs == 1 else side_by_side(_run, asked, jobs)
    try:
        for told in results:
            total.add(told)
            if until_failure and (total.failed or total.raised):
                break
    finally:
        results.close()
    total.tell(time.perf_counter() - began)
    _tell_smallest(total.failed[:most], profile, without)
    return 1 if total.failed or total.raised else 0


def _tell_smallest(seeds: Sequence[int], profile: str, without: tuple[str, ...]) -> None:
    """Print each failed seed as small as it can be made, and how to repeat it."""
    server = Server()
    try:
        for seed in seeds:
            tell_smallest(seed, profile, without, server)
    finally:
        server.close()


class Total:
    """What all seeds came to."""

    def __init__(self, most: int) -> None:
        self.failed: list[int] = []
        self.raised: list[int] = []  # seeds that could not be run
        self._most = most
        self._seeds = 0
        self._simulated = 0.0
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], int] = {}
        self._met: Counter[tuple[str, str]] = Counter()
        self._points: Counter[str] = Counter()  # in how many runs each was called

    def add(self, told: Told) -> None:
        self._seeds += 1
        self._simulated += told.simulated
        self._met.update(told.met)
        self._points.update(told.points)
        if told.raised:
            self.raised.append(told.seed)
            print(f"seed {told.seed} could not be run ({told.profile}): {told.raised}", flush=True)
        elif told.failures:
            self._add_failures(told)

    def _add_failures(self, told: Told) -> None:
        self.failed.append(told.seed)
        if len(self.failed) <= self._most:
            print(f"seed {told.seed}, {told.profile}:", flush=True)
            for kind, what in told.failures[:5]:
                print(f"  ! {kind}: {what}", flush=True)
        for kind in {kind for kind, _ in told.failures}:
            self._kinds[kind, told.profile] += 1
            self._first.setdefault((kind, told.profile), told.seed)

    def tell(self, seconds: float) -> None:
        hours = self._simulated / 3600
        failed = len(self.failed) + len(self.raised)
        print(f"{self._seeds} seeds, {failed} failed; {hours:.1f} hours in {seconds:.0f} s, "
              f"{self._seeds / seconds:.1f} seeds a second")  # fmt: skip
        self._tell_pairs()
        for (kind, profile), number in self._kinds.most_common():
            print(f"  {number:5} {kind} ({profile}), first seed {self._first[kind, profile]}")

    def _tell_pairs(self) -> None:
        """Say which strikes have met which calls, of all that may."""
        every = {(point, kind) for point in self._points for kind in kinds(point)}
        missed = sorted(every - set(self._met))
        print(f"{len(every) - len(missed)} of {len(every)} pairs of call and strike were met")
        for point in sorted({point for point, _ in missed}):
            told = ", ".join(k for p, k in missed if p == point)
            print(f"  not met at {point}, called in {self._points[point]} runs: {told}")
