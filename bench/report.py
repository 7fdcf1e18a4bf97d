"""The page that says what was measured: ``bench/results.md``."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median

from bench.figures import ENOUGH, Figure, middle, stub_is_fast
from bench.latency import share
from bench.measured import FEW, SIZES, Measured
from bench.stage import SLOW
from bench.turns import Turn

PAGE = """# Measured

`make bench` wrote this page on {date}. It runs the whole line, beside a loop that does the same
work with nothing round it, and beside the line on Celery's own classes.

![CPU time of an object, and latency](results.png)

{facts}

## CPU time of one object

{cpu}

Medians of {rounds} rounds, in each of which every contender has one turn; in brackets the
smallest and the largest. Milliseconds of CPU, user and system, of all processes of the contender
together:

- **line**: one worker on `control`, one on `objects` with 8 threads, and the clock, started as
  `trailcourier run` starts them; one file sink with fsync, the default filter, one object in each
  message and ten messages in a receive, `flower_objects = false`.
- **bare loop** (`bench/bare.py`): one process with the same 8 threads and the same queue client,
  bucket client, parser, filter and sink; it receives and deletes by tens. No Celery, no Redis, no
  log, and nothing is made good.
- **on Celery's classes** (`bench/stock.py`): the same line on Celery's own transport and result
  backend, with a chord for each message.
- **receives of {few}**: the line, when a receive brings so few messages, in turn.
- **events on**: the line when every object is shown in Flower; without Flower's own part.

What is counted begins when a sixth of a turn's files is carried and ends when the last message is
received, so that as much is in hand at both ends. Who serves the line is not counted in it:
{beside}

The bare loop's time through the line's, round by round: {ratios}.

What the line adds to the bare loop at 20 events is {beyond}: a task in which nothing is done, on
Celery's own classes and with no result kept, took its worker {nothing:.2f} ms between the rounds.

## How much, how fast

{speed}

{more}

The SQS stub alone gave out and took back {ceiling:,.0f} messages a second in the same run, to one
client: {enough}. S3 is nginx on the same machine; for the two rows with a bucket in a network it is
a small server that answers {slow:.0f} ms after each request, with four threads a worker.

Latency is from when a message was sent until its file had its name, which it gets when it is
synced: {paced:.0f} files a second, one in each message, {waits:,} in all. Memory is what the object
worker held after {first:,} files and after {last:,}.

## Figures

{figures}
"""


ROWS = {
    "bare": "bare loop",
    "line": "line",
    "stock": "on Celery's classes",
    "few": f"receives of {', '.join(map(str, FEW))}",
    "events": "events on",
    "one": "one object worker, bucket in a network",
    "two": "two object workers, bucket in a network",
}
ROLES = {"objects": "objects", "control": "control", "beat": "clock"}
BESIDE = {"broker": "the broker", "nginx": "nginx", "sqs": "the SQS stub"}


def page(found: Measured, told: Sequence[Figure], facts: Mapping[str, str], date: str) -> str:
    """The whole page."""
    line = found.turns["line 20"]
    first, last = found.memory
    served = (f"{called} {middle(line, part(role)):.2f}" for role, called in BESIDE.items())
    return PAGE.format(
        date=date,
        facts=table(("", ""), facts.items()),
        cpu=_cpu(found.turns),
        rounds=len(line),
        few=", ".join(map(str, FEW)),
        beside=f"{', '.join(served)} ms an object of 20 events.",
        ratios=_ratios(told),
        beyond=_beyond(told),
        nothing=median(found.nothing),
        speed=_speed(found.turns),
        more=_more(found),
        ceiling=found.ceiling,
        enough="enough" if stub_is_fast(found) else f"NOT {ENOUGH} times the line's rate",
        slow=SLOW * 1000,
        paced=found.paced,
        waits=len(found.waits),
        first=first.files,
        last=last.files,
        figures=_figures(told),
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as Markdown writes it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(turns: Sequence[Turn], what: Callable[[Turn], float], digits: int = 2) -> str:
    """The median, and in brackets the smallest and the largest."""
    values = [what(turn) for turn in turns]
    low, high = min(values), max(values)
    return f"{middle(turns, what):,.{digits}f} [{low:,.{digits}f}-{high:,.{digits}f}]"


def part(role: str) -> Callable[[Turn], float]:
    """What tells the CPU time of one role."""
    return lambda turn: turn.each(role)


def _cpu(turns: Mapping[str, Sequence[Turn]]) -> str:
    rows = []
    for name, events, had in _had(turns):
        parts = [f"{middle(had, part(role)):.2f}" if role in had[0].own else "" for role in ROLES]
        rows.append([ROWS[name], events, spread(had, lambda turn: turn.ms), *parts])
    return table(("", "events a file", "ms", *ROLES.values()), rows)


def _speed(turns: Mapping[str, Sequence[Turn]]) -> str:
    rows = [
        [
            ROWS[name],
            events,
            spread(had, lambda turn: turn.rate, 0),
            f"{middle(had, lambda turn: turn.rate) * int(events):,.0f}",
        ]
        for name, events, had in _had(turns)
    ]
    return table(("", "events a file", "objects a second", "events a second"), rows)


def _had(turns: Mapping[str, Sequence[Turn]]) -> Iterator[tuple[str, str, Sequence[Turn]]]:
    """The turns in the order of ROWS: who had them, with how many events a file."""
    for name in ROWS:
        for events in map(str, SIZES):
            if had := turns.get(f"{name} {events}"):
                yield name, events, had


def _ratios(told: Sequence[Figure]) -> str:
    ratios = (each for each in told if each.name.startswith("line_cpu_vs_bare_"))
    return ", ".join(
        f"{each.value:.2f} [{each.low:.2f}-{each.high:.2f}] at {events} events"
        for each, events in zip(ratios, SIZES, strict=True)
    )


def _beyond(told: Sequence[Figure]) -> str:
    (each,) = (each for each in told if each.name == "line_beyond_bare_in_empty_tasks_20")
    return f"{each.value:.1f} [{each.low:.1f}-{each.high:.1f}] empty tasks"


def _more(found: Measured) -> str:
    p50, p99 = (share(found.waits, part) for part in (0.5, 0.99))
    first, last = found.memory
    return (
        f"Latency: half within {p50:.2f} s, 99 of 100 within {p99:.2f} s. "
        f"Memory: {first.mib:.0f} MiB, then {last.mib:.0f} MiB."
    )


def _figures(told: Sequence[Figure]) -> str:
    rows = [
        [f"`{each.name}`", f"{each.value:.3g}", each.unit, f"{each.low:.3g}-{each.high:.3g}"]
        for each in told
    ]
    return table(("figure", "value", "unit", "from-to"), rows)
