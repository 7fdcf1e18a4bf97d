"""Which event a record is."""

import msgspec

LONGEST = 64  # characters; CloudTrail's are UUIDs of 36


class _Head(msgspec.Struct):
    event_id: str = msgspec.field(name="eventID", default="")


def event_id(record: bytes) -> str:
    """The eventID of *record*, at most 64 characters of it; empty where it has none."""
    try:
        return msgspec.json.decode(record, type=_Head).event_id[:LONGEST]
    except msgspec.DecodeError:  # no eventID that is text: what it says cannot name the event
        return ""
