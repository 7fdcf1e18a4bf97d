"""The figures, computed from the measurements."""

from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from bench.latency import percentile
from bench.measurements import SIZES, Measurements
from bench.turns import Turn

ENOUGH = 5  # the SQS stub must be this many times as fast as the line


class Figure(msgspec.Struct, frozen=True):
    """One number: the median of the rounds; *low* and *high* are the extremes."""

    name: str
    value: float
    unit: str
    low: float
    high: float


def figures(measured: Measurements) -> list[Figure]:
    """Return the figures in the order in which they are printed."""
    turns = measured.turns
    memory = measured.memory[1].mib - measured.memory[0].mib
    return [
        *(
            _figure(f"line_cpu_vs_bare_{events}", "ratio", ratios_by_round(turns, f"bare {events}",
                f"line {events}", _ms))
            for events in SIZES
        ),
        _figure("line_beyond_bare_in_empty_tasks_20", "tasks", overhead_in_empty_tasks(measured)),
        _figure("line_objects_per_s_20", "objects/s", [t.rate for t in turns["line 20"]]),
        _figure("line_events_per_s_200", "events/s", [t.rate * 200 for t in turns["line 200"]]),
        _figure("line_cpu_ms_per_object_20", "ms", [t.ms for t in turns["line 20"]]),
        _figure("line_vs_stock_celery_20", "ratio",
            ratios_by_round(turns, "stock 20", "line 20", _ms)),
        _figure("two_workers_vs_one", "ratio", ratios_by_round(turns, "two 20", "one 20", _rate)),
        _figure("latency_p50_s", "s", [percentile(measured.latencies, 0.5)]),
        _figure("latency_p99_s", "s", [percentile(measured.latencies, 0.99)]),
        _figure("rss_growth_mib", "MiB", [memory]),
    ]  # fmt: skip


def ratios_by_round(
    turns: dict[str, list[Turn]], above: str, below: str, value: Callable[[Turn], float]
) -> list[float]:
    """Divide *above* by *below*, round by round: what slows the machine slows both of a round."""
    return [value(a) / value(b) for a, b in zip(turns[above], turns[below], strict=True)]


def overhead_in_empty_tasks(measured: Measurements) -> list[float]:
    """Return what the line adds to the bare loop, in empty Celery tasks, round by round."""
    rounds = zip(
        measured.turns["line 20"], measured.turns["bare 20"], measured.empty_task_ms, strict=True
    )
    return [(line.ms - bare.ms) / empty for line, bare, empty in rounds]


def stub_is_fast(measured: Measurements) -> bool:
    """Return whether the SQS stub could have served several times the line's rate."""
    rates = [
        turn.rate for name, turns in measured.turns.items() if "bare" not in name for turn in turns
    ]
    return measured.stub_rate >= ENOUGH * max(rates)


def median_of(turns: Sequence[Turn], value: Callable[[Turn], float]) -> float:
    """Return the median of *value* over *turns*."""
    return median(map(value, turns))


def _figure(name: str, unit: str, values: Sequence[float]) -> Figure:
    return Figure(name, median(values), unit, min(values), max(values))


def _ms(turn: Turn) -> float:
    return turn.ms


def _rate(turn: Turn) -> float:
    return turn.rate
