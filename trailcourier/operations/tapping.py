"""Looks at the records of a log file as a source would deliver them; sends and changes nothing."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from trailcourier import records
from trailcourier.errors import Fault
from trailcourier.line import RecordFilter
from trailcourier.models import ObjectRef
from trailcourier.objects import Reader, Readers

BATCH_RECORDS = 1000
MASK = "***"
KEPT = frozenset(
    {"eventVersion", "eventTime", "eventSource", "eventName", "awsRegion", "eventID", "eventType"}
    | {"eventCategory", "apiVersion", "errorCode"}
)
"""Keys of a record whose values say what happened, and not by whom or to what."""


class TappedObject(msgspec.Struct, frozen=True):
    """A log file, and what the source's filter does with its records."""

    object: Annotated[str, Meta(description="`s3://BUCKET/KEY`")]
    modified: Annotated[str, Meta(description="when CloudTrail wrote it")]
    size: Annotated[int, Meta(description="bytes as stored")]
    records: Annotated[int, Meta(description="records in it")] = 0
    passed: Annotated[int, Meta(description="records that pass the source's filter")] = 0
    error: Annotated[str, Meta(description="why it cannot be read; else empty")] = ""


def tap_object(
    reader: Reader | Readers,
    limits: records.LogLimits,
    keep: RecordFilter,
    ref: ObjectRef,
    most: int,
) -> tuple[int, int, list[bytes]]:
    """Read the object *ref*; count its records and those that pass *keep*.

    Also returns the first *most* records that pass.
    Raises Fault if the object cannot be read, or workers would refuse it.
    """
    opened = reader.open(ref)
    try:
        log = records.open_log(opened.body(), limits)
    finally:
        opened.close()
    passed, shown = 0, list[bytes]()
    for batch in log.batches(records=BATCH_RECORDS, size=records.MIB):
        passing = [
            record
            for record, rule in zip(batch.records, keep(batch.records), strict=True)
            if rule is None
        ]
        passed += len(passing)
        shown += passing[: most - len(shown)]
    return log.count, passed, shown


def redact(record: bytes) -> bytes:
    """Return *record* with its keys, and without the values that say by whom and to what.

    Raises Fault ``unparseable`` if it is nested too deeply to be redacted.
    """
    try:
        found = msgspec.json.decode(record)
        return msgspec.json.encode(
            {key: _kept(value) if key in KEPT else _masked(value) for key, value in found.items()}
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Fault("unparseable", f"a record cannot be redacted: {type(error).__name__}") from None


def _kept(value: Any) -> Any:
    return value if isinstance(value, str) else _masked(value)


def _masked(value: Any) -> Any:
    match value:
        case dict():
            return {key: _masked(each) for key, each in value.items()}
        case list():
            return [_masked(each) for each in value]
        case bool() | None:
            return value
        case _:
            return MASK
