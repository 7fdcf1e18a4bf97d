"""What `status` prints: tables of numbers, then what is wrong and what to do."""

import re
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from trailcourier.cli.output import cell
from trailcourier.cli.tables import fitted
from trailcourier.operations import standstill
from trailcourier.operations.overview import StatusOverview
from trailcourier.operations.source_status import SourceStatus
from trailcourier.operations.standstill import ProcessStatus
from trailcourier.text import age, byte_size

SINK = ("delivered", "filtered", "refused", "repaired")
STYLES = {"well": "green", "attention": "yellow"}  # any other is red
NUMBERS = frozenset(
    {"queued", "leased", "oldest", "in flight", "parked", "last success", "quarantine"}
    | {"records in", "delivered", "filtered", "refused", "repaired", "to DLQ", "in DLQ"}
    | {"records/s", "objects/s", "messages/s", "time left", "pid", "threads", "last seen"}
)
AGE = re.compile(r"\(\d+ \w+\)")
Shown = Table | str


def sections(found: StatusOverview, width: int, *, workers: bool = False) -> Iterator[Shown]:
    """Yield what to show of *found* on *width* columns, with an empty line between two."""
    yield _work_table(found.sources, width)
    yield _sums_table(found.sources, width)
    yield _refusals_table(found.sources, width)
    if any(each.rate for each in found.sources):
        yield _rates_table(found.sources, width)
    if workers:
        yield _processes_table(found.processes, width)
    yield memory_line(found)
    yield from _remarks(found)


def memory_line(found: StatusOverview) -> str:
    """Return the sentence about the broker's memory."""
    used, most = found.broker.used_bytes, found.broker.most_bytes
    limit = f"{byte_size(most)} ({found.broker.share:.0%})" if most else "memory without a limit"
    return f"broker: {byte_size(used)} used of {limit}"


def _remarks(found: StatusOverview) -> Iterator[str]:
    """Yield what is wrong and what to do, each once; what concerns the whole fleet comes first."""
    fleet = [each for source in found.sources for each in source.problems]
    problems = [str(each) for each in fleet if each.kind in standstill.FLEETS]
    yield from (f"fleet: {each}" for each in dict.fromkeys([*problems, *found.advice]))
    concerned: dict[str, tuple[str, list[str]]] = {}
    for source in found.sources:
        own = [str(each) for each in source.problems if each.kind not in standstill.FLEETS]
        for text in [*own, *source.advice]:
            # the sources are read one after the other, so an age may differ by a second
            _, names = concerned.setdefault(AGE.sub("", text), (text, []))
            names.append(source.source)
    yield from (f"{', '.join(names)}: {text}" for text, names in concerned.values())


def _work_table(found: Sequence[SourceStatus], width: int) -> Table:
    """Return the table of work in hand: messages first, then objects."""
    names = ("source", "queued", "leased", "oldest", "in flight", "parked", "last success", "state")
    return fitted(names, [_work_row(each) for each in found], NUMBERS, width)


def _work_row(each: SourceStatus) -> list[Text]:
    success = age(each.last_success_seconds)
    return [
        cell(each.source),
        _number(each.depth),
        cell(each.messages),
        cell(age(each.oldest_seconds)),
        cell(each.in_flight),
        cell(each.parked),
        cell("never" if success == "-" else f"{success} ago"),
        cell(each.state, STYLES.get(each.state, "red")),
    ]


def _sums_table(found: Sequence[SourceStatus], width: int) -> Table:
    """Return the table of records since the ledger began; some of the refused were repaired."""
    rows = [
        [
            cell(each.source),
            cell(name),
            cell(each.records.get("in", 0)),
            *(cell(sink.get(what, 0)) for what in SINK),
        ]
        for each in found
        for name, sink in each.sinks.items() or [("-", {})]
    ]
    return fitted(("source", "sink", "records in", *SINK), rows, NUMBERS, width)


def _refusals_table(found: Sequence[SourceStatus], width: int) -> Table:
    """Return the table of refusals: quarantine entries, and the messages that they leave."""
    rows = [
        [
            cell(each.source),
            cell(each.quarantined),
            _number(each.refused_messages),
            cell("-" if each.dead_letters is None else each.dead_letters),
        ]
        for each in found
    ]
    return fitted(("source", "quarantine", "to DLQ", "in DLQ"), rows, NUMBERS, width)


def _rates_table(found: Sequence[SourceStatus], width: int) -> Table:
    names = ("source", "records/s", "objects/s", "messages/s", "time left")
    rows = [
        [
            cell(each.source),
            *(cell(f"{by:,.1f}") for by in (rate.records, rate.objects, rate.messages)),
            cell("unknown" if rate.backlog_seconds is None else age(rate.backlog_seconds)),
        ]
        for each in found
        if (rate := each.rate)
    ]
    return fitted(names, rows, NUMBERS, width)


def _processes_table(found: Sequence[ProcessStatus], width: int) -> Table:
    """Return the table of processes by host; one that ended is in it for ten more minutes."""
    names = ("host", "role", "pid", "version", "configuration", "threads", "last seen", "alive")
    rows = [
        [
            cell(each.host or "-"),
            cell(", ".join(each.roles) or "-"),
            cell(str(each.pid)),
            cell(each.version or "-"),
            cell(each.config or "-"),
            cell(each.threads),
            cell(f"{age(each.heard_seconds)} ago"),
            cell("yes" if each.alive else "no", "" if each.alive else "red"),
        ]
        for each in sorted(found, key=lambda each: (each.host, each.roles, each.pid))
    ]
    return fitted(names, rows, NUMBERS, width)


def _number(value: int | None) -> Text:
    return cell("?" if value is None else value)
