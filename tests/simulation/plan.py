"""What a seed fixes before anything runs: numbers, hosts, workload, and what comes from outside."""

import dataclasses

from tests.simulation.profiles import PROFILES, Profile
from tests.simulation.strikes import Strike, Wish
from tests.simulation.workload import Workload
from trailcourier.models import Numbers

FOR_EVER = 10**9  # ms; what lasts so long is not repaired in this run
QUIET = Profile()
LONGEST = 43_200  # seconds; SQS lets nobody hold a message for longer


@dataclasses.dataclass(frozen=True)
class Event:
    """From *at* on, and for *lasts* milliseconds if it lasts, *kind* happens to *what*."""

    at: int
    kind: str
    what: str = ""
    how: str = ""
    lasts: int = 0

    def __str__(self) -> str:
        lasts = f" for {self.lasts / 1000:g} s" if self.lasts else ""
        if self.lasts == FOR_EVER:
            lasts = " for ever"
        return " ".join(filter(None, (self.kind, self.what, self.how))) + lasts


@dataclasses.dataclass(frozen=True)
class Host:
    """One worker process: what it takes, with how many threads, and its clock.

    A thread takes up to *group* objects at once, and forwards them together.
    """

    name: str
    queue: str
    threads: int
    skew: float = 0.0
    drift: float = 0.0
    slow: int = 1
    group: int = 1


@dataclasses.dataclass(frozen=True)
class Plan:
    """One run, but for the order of things; *strikes* are None where they are to be drawn."""

    seed: int
    profile: str
    numbers: Numbers
    hosts: tuple[Host, ...]
    workload: Workload
    events: tuple[Event, ...]
    stays: float
    memory: int  # bytes of each process
    ticks: int  # ms between two poll ticks
    most_receives: int
    stale_works: bool
    longest: int
    strikes: tuple[Strike, ...] | None = None
    one_by_one: bool = False  # the SIEM takes one record a request, as InsightIDR's webhook does
    slow: int = 0  # ms until a sink in trouble says so
    new_numbers: Numbers | None = None  # those of the configuration that "configure" brings
    wishes: tuple[Wish, ...] = ()  # strikes that are to come, where nothing fixes all of them
    quiet: bool = False  # nothing is struck but what is wished
    sqs_life: int = LONGEST  # seconds for which SQS lets anybody hold a message
    pace: int = 0  # ms that the SIEM takes for a request

    @property
    def configurations(self) -> tuple[Numbers, ...]:
        """The numbers of each configuration that some process has at some time."""
        return (self.numbers,) if self.new_numbers is None else (self.numbers, self.new_numbers)

    @property
    def data(self) -> Profile:
        """What its strikes are drawn from."""
        return QUIET if self.quiet else PROFILES[self.profile]
