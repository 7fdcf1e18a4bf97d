"""``trailcourier tap``: see what flows, without touching it."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import typer

from trailcourier import settings
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.output import AsJson
from trailcourier.cli.sources import configure, quiet
from trailcourier.doctor import Shared, newest_log
from trailcourier.doctor.bucket import find_buckets
from trailcourier.doctor.newest_log import ListedLog
from trailcourier.doctor.subject import Subject
from trailcourier.errors import Fault, Unreachable
from trailcourier.line import RecordFilter
from trailcourier.models import ObjectRef
from trailcourier.objects import Reader, Readers
from trailcourier.operations.tapping import TappedObject, redact, tap_object
from trailcourier.records import LogLimits
from trailcourier.text import byte_size, printable
from trailcourier.wiring import lines

app = typer.Typer()

PATIENCE = 25.0  # seconds to find the newest files
NO_BUCKET = "no bucket is known by name: name one in full in `buckets` of the source"


class _Tap(msgspec.Struct, frozen=True):
    """How a source reads its log files."""

    reader: Reader | Readers
    limits: LogLimits
    keep: RecordFilter


@app.command(name="tap")
def tap(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source, as in [sources.…].")],
    *,
    as_records: Annotated[
        bool, typer.Option("--records", help="Print records that pass the filter, one a line.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="Show this many log files, or records.")
    ] = 10,
    redacted: Annotated[
        bool,
        typer.Option("--redact", help="With --records: mask who did it, to what and from where."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest log files in the source's buckets, or the newest records in them.

    Reads them from S3 with the credentials, limits and filter of the source. Receives no message,
    writes nothing to the broker and sends nothing to a sink, so it disturbs no worker. It shows
    what CloudTrail wrote, announced or not, delivered or not: `status` shows what became of it.
    Finds recent files by listing some folders of the buckets, which needs s3:ListBucket.

    Exits with 1 if there is no log file or one cannot be read.
    """
    if as_records and as_json:
        raise typer.BadParameter("--records prints JSON already; leave out --json")
    if redacted and not as_records:
        raise typer.BadParameter("--redact needs --records")
    found = quiet(settings.load(ctx.obj.config))
    (name,) = configure(found, source)
    given = found.sources[name]
    listed = list(_newest(Subject(name, Shared(found, total=PATIENCE))))
    how = _Tap(lines.open_observer(name), given.limits, given.compile_filter())
    if as_records:
        read = _print_records(how, listed, limit, redacted=redacted)
    else:
        read = _print_files(how, listed[:limit], as_json=as_json)
    raise typer.Exit(Exit.DONE if read else Exit.NO)


def _newest(subject: Subject) -> Iterator[tuple[str, ListedLog]]:
    """Yield the newest log files of the source's buckets, newest first, with their bucket."""
    found: list[tuple[str, ListedLog]] = []
    places = find_buckets(subject)
    if not places:
        raise typer.BadParameter(NO_BUCKET)
    for place in places:
        logs = newest_log.find_newest_logs(subject, place.name, place.region)
        if logs.failure is not None:
            why = logs.failure.fault or "there was no time left"
            raise Unreachable(f"bucket {place.name} cannot be listed: {why}")
        found += [(place.name, each) for each in logs.newest]
    yield from sorted(found, key=lambda each: each[1].modified, reverse=True)


def _print_files(how: _Tap, listed: Sequence[tuple[str, ListedLog]], *, as_json: bool) -> bool:
    tapped = [_describe(how, bucket, each) for bucket, each in listed]
    if as_json:
        output.say_json({"objects": tapped})
    elif not tapped:
        output.say("There is no recent log file in the buckets of the source.")
    else:
        heading = ("modified", "size", "records", "pass", "object")
        output.say_lines(output.columns([heading, *map(_row, tapped)]))
    return bool(tapped) and not any(each.error for each in tapped)


def _describe(how: _Tap, bucket: str, log: ListedLog) -> TappedObject:
    ref = ObjectRef(bucket, log.key)
    found = TappedObject(str(ref), f"{log.modified:%Y-%m-%d %H:%M:%SZ}", log.size)
    try:
        count, passed, _ = tap_object(how.reader, how.limits, how.keep, ref, 0)
    except Fault as fault:
        return msgspec.structs.replace(found, error=str(fault))
    return msgspec.structs.replace(found, records=count, passed=passed)


def _row(each: TappedObject) -> tuple[str, ...]:
    what = f"{each.object}: {each.error}" if each.error else each.object
    return each.modified, byte_size(each.size), f"{each.records:,}", f"{each.passed:,}", what


def _print_records(
    how: _Tap, listed: Sequence[tuple[str, ListedLog]], limit: int, *, redacted: bool
) -> bool:
    """Print up to *limit* records; return whether every file that was needed could be read."""
    left, well = limit, bool(listed)
    for bucket, each in listed:
        try:
            shown = tap_object(how.reader, how.limits, how.keep, ObjectRef(bucket, each.key), left)
            for record in shown[2]:
                _print_record(redact(record) if redacted else record)
        except Fault as fault:
            typer.echo(f"trailcourier: s3://{bucket}/{printable(each.key)}: {fault}", err=True)
            well = False
            continue
        left -= len(shown[2])
        if not left:
            break
    return well


def _print_record(record: bytes) -> None:
    """Print a record as it is; on a terminal without characters that act on it."""
    text = record.decode()
    print(printable(text) if sys.stdout.isatty() else text)
