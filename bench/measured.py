"""What is measured, and in which order: rounds in which each contender has one turn."""

import contextlib
from collections.abc import Callable, Mapping

import msgspec

from bench import latency, nothing, processes
from bench.contenders import Contender, contender
from bench.stage import Stage, stage
from bench.turns import Turn, clear, turn

SIZES = (20, 200, 2000)  # events in a file
FEW = (1, 2, 3)  # messages a receive brings when a queue is nearly empty, in turn


class Plan(msgspec.Struct, frozen=True):
    """How much: rounds, and files of each size in a turn.

    *warm* files are carried before all else, and *total* by the same object worker at last; the
    growth of its memory is told between the two.
    """

    rounds: int = 5
    nothing: int = 2000
    files: tuple[int, ...] = (1000, 600, 150)
    few: int = 500
    workers: int = 600
    worker_rounds: int = 3
    paced: float = 62
    warm: int = 2000
    total: int = 20_000
    ceiling: int = 50_000


QUICK = Plan(
    rounds=1,
    nothing=200,
    files=(150, 90, 72),
    few=90,
    workers=150,
    worker_rounds=1,
    paced=4,
    warm=150,
    total=900,
    ceiling=10_000,
)


class Memory(msgspec.Struct, frozen=True):
    """What an object worker holds, in MiB, when it has carried so many files."""

    files: int
    mib: float


class Measured(msgspec.Struct, frozen=True):
    """All of it; *turns* by what had them, such as ``line 20``.

    *ceiling* is the SQS stub's own, messages a second; *waits* are seconds, ascending, when *paced*
    files a second were announced; *nothing* are milliseconds for an empty task, each round of the
    smallest files.
    """

    ceiling: float
    broker: str
    turns: dict[str, list[Turn]]
    paced: float
    waits: list[float]
    memory: tuple[Memory, Memory]
    nothing: list[float]


Say = Callable[[str], None]


class Rounds:
    """Gives turns, says what came of each, and keeps them."""

    def __init__(self, on: Stage, say: Say) -> None:
        self.turns: dict[str, list[Turn]] = {}
        self.nothing: list[float] = []  # milliseconds of CPU for an empty task, each round
        self._on = on
        self._say = say

    def give(self, events: int, files: int, who: Mapping[str, Contender]) -> None:
        """One turn to each contender."""
        for name, each in who.items():
            had = turn(each, events=events, messages=files, beside=self._on.spent)
            self.turns.setdefault(f"{name} {events}", []).append(had)
            self._say(
                f"{name}, {events} events a file: {had.ms:.2f} ms of CPU an object, "
                f"{had.rate:.0f} objects a second"
            )


def measured(plan: Plan, say: Say) -> Measured:
    """Measure everything, and say what comes."""
    with stage(SIZES, plan.ceiling) as on:
        say(f"the SQS stub's own ceiling: {on.ceiling:,.0f} messages a second")
        rounds = Rounds(on, say)
        with contextlib.ExitStack() as stack:
            names = ("line", "bare", "stock", "events")
            who = {
                name: stack.enter_context(contender(on.place, name, events=name == "events"))
                for name in names
            }
            line = who["line"]
            _warm(20, {each: plan.warm if each is line else 100 for each in who.values()})
            first = _memory(line)
            with nothing.idle(on.place.broker) as idle:
                _smallest(plan, rounds, who, idle)
            for name in ("stock", "events"):
                who.pop(name).close()
            had = rounds.turns["line 20"]
            paced = sum(turn.rate for turn in had) / len(had) / 2
            say(f"one file after the other, {paced:.0f} a second, for {plan.paced:.0f} s")
            waits = latency.measure(line, events=20, rate=paced, seconds=plan.paced)
            _carry(line, plan.total - line.carried)
            last = _memory(line)
            _larger(plan, rounds, who)
        _workers(plan, rounds, on)
        return Measured(
            on.ceiling, on.broker, rounds.turns, paced, waits, (first, last), rounds.nothing
        )


def _smallest(plan: Plan, rounds: Rounds, who: Mapping[str, Contender], idle: nothing.Idle) -> None:
    """Files of 20 events: all have a turn, and the line another one when receives bring little."""
    line = who["line"]
    for _ in range(plan.rounds):
        rounds.give(20, plan.files[0], who)
        rounds.nothing.append(idle.ms(plan.nothing))
        line.queue.most(*FEW)
        rounds.give(20, plan.few, {"few": line})
        line.queue.most(10)


def _larger(plan: Plan, rounds: Rounds, who: Mapping[str, Contender]) -> None:
    """The larger files: the line and the bare loop."""
    for events, files in zip(SIZES[1:], plan.files[1:], strict=True):
        _warm(events, dict.fromkeys(who.values(), 20))
        for _ in range(plan.rounds):
            rounds.give(events, files, who)


def _workers(plan: Plan, rounds: Rounds, on: Stage) -> None:
    """One object worker and two, four threads each, with a bucket in a network."""
    with contextlib.ExitStack() as stack:
        who = {
            name: stack.enter_context(contender(on.slow, name, threads=4, objects=objects))
            for name, objects in (("one", 1), ("two", 2))
        }
        _warm(20, dict.fromkeys(who.values(), 100))
        for _ in range(plan.worker_rounds):
            rounds.give(20, plan.workers, who)


def _warm(events: int, files: Mapping[Contender, int]) -> None:
    """Have each contender carry some files first."""
    ends = {each: each.queue.put(events, count)["deleted"] + count for each, count in files.items()}
    for each, end in ends.items():
        each.until(end)
        clear(each)


def _carry(who: Contender, files: int) -> None:
    if files > 0:
        who.until(who.queue.put(20, files)["deleted"] + files, seconds=300)
        clear(who)


def _memory(who: Contender) -> Memory:
    return Memory(who.carried, processes.resident(who.pids("objects")[0]))
