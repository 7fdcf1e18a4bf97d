"""The records of an object that a sink rejected, read again from the object for their names."""

from collections.abc import Collection, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from trailcourier import records
from trailcourier.errors import Fault
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.models import ObjectRef
from trailcourier.objects import Reader, Readers

BATCH_RECORDS = 1000
NAME_LENGTH = 128  # characters shown of an eventName
OTHER = "The object has other records now, so the events cannot be named."


class RejectedEvent(msgspec.Struct, frozen=True):
    """A record that a sink rejected, as `quarantine show --json` shows it."""

    sink: Annotated[str, Meta(description="the sink that rejected it")]
    ordinal: Annotated[int, Meta(description="its place in the file; the first record has 0")]
    event_id: Annotated[str, Meta(description="its eventID; empty if it has none")]
    event_name: Annotated[
        str, Meta(description="its eventName; empty if the object could not be read")
    ]
    words: Annotated[str, Meta(description="what the sink said")]


class RejectedEvents(msgspec.Struct, frozen=True):
    """The rejected records of an entry; *note* says why they have no names, if so."""

    events: tuple[RejectedEvent, ...] = ()
    note: str = ""


class _Names(msgspec.Struct):
    event_name: object = msgspec.field(name="eventName", default="")


def read_rejected(
    reader: Reader | Readers, limits: records.LogLimits, entry: QuarantineEntry
) -> RejectedEvents:
    """Read the object of *entry* for the names of its rejected records; changes nothing.

    The ledger keeps no event names.  If the object cannot be read, the records come without.
    """
    if entry.ref is None or not entry.records:
        return without_names(entry)
    try:
        wanted = {each.ordinal for each in entry.records}
        found = _read_records(reader, limits, entry.ref, wanted)
    except Fault as fault:
        return without_names(entry, f"The object cannot be read for the event names: {fault}")
    for each in entry.records:
        if each.event_id and each.event_id != records.event_id(found.get(each.ordinal, b"{}")):
            return without_names(entry, OTHER)
    return RejectedEvents(_events(entry, found))


def without_names(entry: QuarantineEntry, note: str = "") -> RejectedEvents:
    """Return the rejected records of *entry* as the ledger has them."""
    return RejectedEvents(_events(entry, {}), note)


def _read_records(
    reader: Reader | Readers, limits: records.LogLimits, ref: ObjectRef, wanted: Collection[int]
) -> dict[int, bytes]:
    opened = reader.open(ref)
    try:
        log = records.open_log(opened.body(), limits)
    finally:
        opened.close()
    return {
        ordinal: record
        for batch in log.batches(records=BATCH_RECORDS, size=records.MIB)
        for ordinal, record in enumerate(batch.records, batch.first)
        if ordinal in wanted
    }


def _events(entry: QuarantineEntry, found: Mapping[int, bytes]) -> tuple[RejectedEvent, ...]:
    return tuple(
        RejectedEvent(
            each.sink, each.ordinal, each.event_id, _name(found.get(each.ordinal)), each.words
        )
        for each in entry.records
    )


def _name(record: bytes | None) -> str:
    if record is None:
        return ""
    name = msgspec.json.decode(record, type=_Names).event_name
    return name[:NAME_LENGTH] if isinstance(name, str) else ""
