"""The event id of a record."""

import msgspec

EVENT_ID_LENGTH = 64  # characters, at most; CloudTrail's are UUIDs of 36


class _Head(msgspec.Struct):
    event_id: str = msgspec.field(name="eventID", default="")


def event_id(record: bytes) -> str:
    """Return the eventID of *record*, at most 64 characters of it; empty if it has none."""
    try:
        return msgspec.json.decode(record, type=_Head).event_id[:EVENT_ID_LENGTH]
    except msgspec.DecodeError:  # eventID is not a text, and cannot identify the event
        return ""
