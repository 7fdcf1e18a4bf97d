"""What was measured, as the figures that are told: arithmetic alone."""

from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from bench.latency import share
from bench.measured import SIZES, Measured
from bench.turns import Turn

ENOUGH = 5  # times the line's rate; what the SQS stub must be able to do


class Figure(msgspec.Struct, frozen=True):
    """One number, and of how many rounds' it is the median, *low* and *high* being the others'."""

    name: str
    value: float
    unit: str
    low: float
    high: float


def figures(found: Measured) -> list[Figure]:
    """The figures by name, in the order they are told."""
    turns = found.turns
    memory = found.memory[1].mib - found.memory[0].mib
    return [
        *(
            _of(f"line_cpu_vs_bare_{events}", "ratio", paired(turns, f"bare {events}",
                f"line {events}", _ms))
            for events in SIZES
        ),
        _of("line_beyond_bare_in_empty_tasks_20", "tasks", beyond(found)),
        _of("line_objects_per_s_20", "objects/s", [t.rate for t in turns["line 20"]]),
        _of("line_events_per_s_200", "events/s", [t.rate * 200 for t in turns["line 200"]]),
        _of("line_cpu_ms_per_object_20", "ms", [t.ms for t in turns["line 20"]]),
        _of("line_vs_stock_celery_20", "ratio", paired(turns, "stock 20", "line 20", _ms)),
        _of("two_workers_vs_one", "ratio", paired(turns, "two 20", "one 20", _rate)),
        _of("latency_p50_s", "s", [share(found.waits, 0.5)]),
        _of("latency_p99_s", "s", [share(found.waits, 0.99)]),
        _of("rss_growth_mib", "MiB", [memory]),
    ]  # fmt: skip


def paired(
    turns: dict[str, list[Turn]], above: str, below: str, what: Callable[[Turn], float]
) -> list[float]:
    """*above* through *below*, round by round: what slows the machine meets both of a round."""
    return [what(a) / what(b) for a, b in zip(turns[above], turns[below], strict=True)]


def beyond(found: Measured) -> list[float]:
    """What the line adds to the bare loop, in Celery's empty tasks, round by round."""
    rounds = zip(found.turns["line 20"], found.turns["bare 20"], found.nothing, strict=True)
    return [(line.ms - bare.ms) / empty for line, bare, empty in rounds]


def stub_is_fast(found: Measured) -> bool:
    """Whether the SQS stub could have done much more than it was asked for."""
    rates = [turn.rate for name, had in found.turns.items() if "bare" not in name for turn in had]
    return found.ceiling >= ENOUGH * max(rates)


def middle(turns: Sequence[Turn], what: Callable[[Turn], float]) -> float:
    """The median of the turns."""
    return median(map(what, turns))


def _of(name: str, unit: str, values: Sequence[float]) -> Figure:
    return Figure(name, median(values), unit, min(values), max(values))


def _ms(turn: Turn) -> float:
    return turn.ms


def _rate(turn: Turn) -> float:
    return turn.rate
