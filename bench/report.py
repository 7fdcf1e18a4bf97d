"""The page of results: ``bench/results.md``."""

import functools
import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median

from bench.figures import ENOUGH, Figure, median_of, stub_is_fast
from bench.latency import percentile
from bench.log_files import SEEDS, log_file
from bench.measurements import SIZES, SMALL_RECEIVES, Measurements
from bench.services import SLOW
from bench.turns import Turn

PAGE = """# Measured

`make bench` wrote this page on {date}. It runs the whole line, a bare loop that does the same work
in one process, and the line on Celery's own classes.

![CPU time of an object, and latency](results.png)

{facts}

## CPU time of one object

{cpu}

Medians of {rounds} rounds, in each of which every contender has one turn; in brackets the
smallest and the largest. Milliseconds of CPU, user and system, of all processes of the contender
together:

- **line**: one worker on `control`, one on `objects` with 8 threads, and beat, started as
  `trailcourier run` starts them; one file sink with fsync, the default filter, one object in each
  message and ten messages in a receive, `flower_objects = false`.
- **bare loop** (`bench/bare.py`): one process with the same 8 threads and the same queue client,
  bucket client, parser, filter and sink; it receives and deletes ten messages at a time. It has no
  Celery, no Redis, no log and no recovery.
- **on Celery's classes** (`bench/stock.py`): the same line on Celery's own transport and result
  backend, with a chord for each message.
- **receives of {sizes}**: the line, when a receive returns so few messages, in turn.
- **events on**: the line when Flower shows every object; without Flower's own CPU time.

A log file holds events of the demo's generator: {sizes_of_events}.

A measurement begins when a sixth of a turn's messages is deleted, and ends when the last one is
received, so that as many are in flight at both ends. The services that the line uses are not in
the table: {services}

The bare loop's time divided by the line's, round by round: {ratios}.

What the line adds to the bare loop at 20 events is {overhead}: a task that does nothing, on
Celery's own classes and without a result, took its worker {empty_task:.2f} ms between the rounds.

## Throughput, latency and memory

{speed}

{latency}

The SQS stub alone sent and deleted {stub_rate:,.0f} messages a second in the same run, for one
client: {enough}. S3 is nginx on the same machine; for the two rows with a bucket in a network it is
a small server that answers {slow:.0f} ms after each request, with four threads a worker.

Latency is from when a message was sent until its file was synced and renamed: {pace:.0f} files a
second, one in each message, {latencies:,} in all. Memory is that of the object worker after
{first:,} files and after {last:,}.

## Figures

{figures}
"""


ROWS = {
    "bare": "bare loop",
    "line": "line",
    "stock": "on Celery's classes",
    "few": f"receives of {', '.join(map(str, SMALL_RECEIVES))}",
    "events": "events on",
    "one": "one object worker, bucket in a network",
    "two": "two object workers, bucket in a network",
}
ROLES = {"objects": "objects", "control": "control", "beat": "beat"}
SERVICES = {"broker": "the broker", "nginx": "nginx", "sqs": "the SQS stub"}


def page(
    measured: Measurements, shown: Sequence[Figure], facts: Mapping[str, str], date: str
) -> str:
    """Return the whole page."""
    line = measured.turns["line 20"]
    first, last = measured.memory
    services = (
        f"{label} {median_of(line, role_cpu(role)):.2f}" for role, label in SERVICES.items()
    )
    return PAGE.format(
        date=date,
        facts=table(("", ""), facts.items()),
        cpu=_cpu(measured.turns),
        rounds=len(line),
        sizes=", ".join(map(str, SMALL_RECEIVES)),
        sizes_of_events=_event_sizes(),
        services=f"{', '.join(services)} ms an object of 20 events.",
        ratios=_ratios(shown),
        overhead=_overhead(shown),
        empty_task=median(measured.empty_task_ms),
        speed=_speed(measured.turns),
        latency=_latency_and_memory(measured),
        stub_rate=measured.stub_rate,
        enough="enough" if stub_is_fast(measured) else f"NOT {ENOUGH} times the line's rate",
        slow=SLOW * 1000,
        pace=measured.pace,
        latencies=len(measured.latencies),
        first=first.files,
        last=last.files,
        figures=_figures(shown),
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(turns: Sequence[Turn], value: Callable[[Turn], float], digits: int = 2) -> str:
    """Return the median, and in brackets the smallest and the largest."""
    values = [value(turn) for turn in turns]
    low, high = min(values), max(values)
    return f"{median_of(turns, value):,.{digits}f} [{low:,.{digits}f}-{high:,.{digits}f}]"


def role_cpu(role: str) -> Callable[[Turn], float]:
    """Return a function that reads the CPU time of *role* from a turn."""
    return lambda turn: turn.cpu_ms_of(role)


def _cpu(turns: Mapping[str, Sequence[Turn]]) -> str:
    rows = []
    for name, events, row in _turns_by_row(turns):
        parts = [
            f"{median_of(row, role_cpu(role)):.2f}" if role in row[0].own_cpu else ""
            for role in ROLES
        ]
        rows.append([ROWS[name], events, spread(row, lambda turn: turn.ms), *parts])
    return table(("", "events a file", "ms", *ROLES.values()), rows)


def _speed(turns: Mapping[str, Sequence[Turn]]) -> str:
    rows = [
        [
            ROWS[name],
            events,
            spread(row, lambda turn: turn.rate, 0),
            f"{median_of(row, lambda turn: turn.rate) * int(events):,.0f}",
        ]
        for name, events, row in _turns_by_row(turns)
    ]
    return table(("", "events a file", "objects a second", "events a second"), rows)


def _turns_by_row(turns: Mapping[str, Sequence[Turn]]) -> Iterator[tuple[str, str, Sequence[Turn]]]:
    """Yield contender, events a file and turns, in the order of ROWS."""
    for name in ROWS:
        for events in map(str, SIZES):
            if row := turns.get(f"{name} {events}"):
                yield name, events, row


@functools.cache
def _event_sizes() -> str:
    """Return the mean size of an event in files of each size, plain and compressed."""
    sizes = []
    for events in SIZES:
        files = [log_file(events, seed) for seed in range(SEEDS)]
        plain = sum(len(gzip.decompress(file)) for file in files)
        packed, count = sum(map(len, files)), events * SEEDS
        sizes.append(f"{plain / count:,.0f} bytes ({packed / count:,.0f} compressed) at {events}")
    return f"{', '.join(sizes)} events a file"


def _ratios(shown: Sequence[Figure]) -> str:
    ratios = (each for each in shown if each.name.startswith("line_cpu_vs_bare_"))
    return ", ".join(
        f"{each.value:.2f} [{each.low:.2f}-{each.high:.2f}] at {events} events"
        for each, events in zip(ratios, SIZES, strict=True)
    )


def _overhead(shown: Sequence[Figure]) -> str:
    (each,) = (each for each in shown if each.name == "line_beyond_bare_in_empty_tasks_20")
    return f"{each.value:.1f} [{each.low:.1f}-{each.high:.1f}] empty tasks"


def _latency_and_memory(measured: Measurements) -> str:
    p50, p99 = (percentile(measured.latencies, part) for part in (0.5, 0.99))
    first, last = measured.memory
    return (
        f"Latency: half within {p50:.2f} s, 99 of 100 within {p99:.2f} s. "
        f"Memory: {first.mib:.0f} MiB, then {last.mib:.0f} MiB."
    )


def _figures(shown: Sequence[Figure]) -> str:
    rows = [
        [f"`{each.name}`", f"{each.value:.3g}", each.unit, f"{each.low:.3g}-{each.high:.3g}"]
        for each in shown
    ]
    return table(("figure", "value", "unit", "from-to"), rows)
