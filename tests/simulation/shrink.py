"""Make a failing run smaller: fewer messages, events and strikes, and the same kind of failure."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

from tests.simulation.hub import run
from tests.simulation.plan import Plan
from tests.simulation.planner import plan
from tests.simulation.run import Result
from tests.simulation.server import Server
from tests.simulation.strikes import Strike
from tests.simulation.workload import Workload

SECONDS = 60.0  # spent on one seed, at most


@dataclasses.dataclass(frozen=True)
class Choice:
    """The part of a seed's plan that is run; None keeps what the seed has."""

    seed: int
    profile: str = ""
    messages: tuple[str, ...] | None = None
    events: tuple[int, ...] | None = None
    strikes: tuple[Strike, ...] | None = None
    without: tuple[str, ...] = ()

    def plan(self) -> Plan:
        whole = plan(self.seed, self.profile, self.without)
        workload = whole.workload
        if self.messages is not None:
            sent = tuple(each for each in workload.sent if each.name in self.messages)
            workload = Workload(workload.puts, sent)
        events = whole.events
        if self.events is not None:
            events = tuple(events[at] for at in self.events)
        return dataclasses.replace(whole, workload=workload, events=events, strikes=self.strikes)

    def command(self) -> str:
        """The command that repeats it."""
        words = [f"--seed {self.seed}"]
        if self.profile:
            words.append(f"--profile {self.profile}")
        if self.without:
            words.append(f"--without {','.join(self.without)}")
        if self.messages is not None:
            words.append(f"--messages {','.join(self.messages)}")
        if self.events is not None:
            words.append(f"--events '{','.join(map(str, self.events))}'")
        if self.strikes is not None:
            words.append(f"--strikes '{','.join(map(str, self.strikes))}'")
        return f'make simulate ARGS="{" ".join(words)} --history"'


def shrink(
    failed: Result, server: Server, *, without: tuple[str, ...] = ()
) -> tuple[Choice, Result]:
    """The smallest run found that fails as *failed* does."""
    whole, kind = failed.plan, failed.failures[0].kind
    choice = Choice(
        whole.seed,
        whole.profile,
        tuple(sent.name for sent in whole.workload.sent),
        tuple(range(len(whole.events))),
        failed.strikes,
        without,
    )
    best, ends = failed, time.monotonic() + SECONDS
    smaller = True
    while smaller and time.monotonic() < ends:
        smaller = False
        for candidate in _candidates(choice):
            if time.monotonic() > ends:
                break
            result = run(candidate.plan(), server)
            if any(failure.kind == kind for failure in result.failures):
                choice, best, smaller = candidate, result, True
                break
    return choice, best


def _candidates(choice: Choice) -> Iterator[Choice]:
    """Every choice that is smaller by one part, the largest parts first."""
    parts: Sequence[tuple[str, Callable[[Sequence], Iterator[tuple]]]] = (
        ("strikes", _less), ("events", _less), ("messages", _less),
    )  # fmt: skip
    for name, less in parts:
        for remaining in less(getattr(choice, name)):
            yield dataclasses.replace(choice, **{name: remaining})


def _less(parts: Sequence) -> Iterator[tuple]:
    if len(parts) > 3:
        half = len(parts) // 2
        yield tuple(parts[:half])
        yield tuple(parts[half:])
    for at in range(len(parts)):
        yield (*parts[:at], *parts[at + 1 :])
