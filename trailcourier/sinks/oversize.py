"""Records that are larger than the sink accepts: refused, or truncated and marked.

A truncated record is a smaller JSON object.  Its largest members are ``null``.  The members that
say who did what and when keep the bytes AWS wrote.  One more member says what was done::

    "trailcourierTruncated":{"bytes":400123,"sha256":"...","members":["requestParameters"]}

``bytes`` and ``sha256`` are those of the record as AWS wrote it, so that it can be found.
"""

import hashlib

import msgspec

from trailcourier.errors import Rejected
from trailcourier.sinks.config import Oversize

MARKER = "trailcourierTruncated"

# Who did what, when and where (CloudTrail record reference): these members are never removed.
KEPT_MEMBERS = frozenset(
    {
        "eventVersion",
        "eventTime",
        "eventSource",
        "eventName",
        "eventID",
        "eventType",
        "eventCategory",
        "awsRegion",
        "sourceIPAddress",
        "userIdentity",
        "requestID",
        "sharedEventID",
        "errorCode",
        "readOnly",
        "managementEvent",
        "recipientAccountId",
        "vpcEndpointId",
    }
)

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL = msgspec.Raw(b"null")


def fit_record(record: bytes, limit: int, policy: Oversize) -> bytes:
    """Return *record*, truncated to *limit* bytes if *policy* allows it; else raises Rejected."""
    if len(record) <= limit:
        return record
    if policy == "refuse":
        raise _too_large(record, limit, 'raise `max_record_bytes` or set `oversize = "truncate"`')
    try:
        members = _members.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _too_large(record, limit, f"it cannot be truncated: {error}") from error
    return _truncate(record, members, limit)


def _truncate(record: bytes, members: dict[str, msgspec.Raw], limit: int) -> bytes:
    """Set the largest of *members* to null, one by one, until the record fits."""
    members.pop(MARKER, None)  # of an earlier truncation; AWS writes no such member
    mark = {"bytes": len(record), "sha256": hashlib.sha256(record).hexdigest()}
    removed: list[str] = []
    size = len(_object(members, mark, removed))
    for gain, name in sorted(_gains(members), reverse=True):
        if size <= limit:
            break
        members[name] = _NULL
        removed.append(name)
        size -= gain
    truncated = _object(members, mark, removed)
    if len(truncated) > limit:
        raise _too_large(record, limit, "the members that are never removed are too large")
    return truncated


def _gains(members: dict[str, msgspec.Raw]) -> list[tuple[int, str]]:
    """Return the bytes that each member frees, less its null and its name in the marker."""
    return [
        (memoryview(raw).nbytes - len(b"null") - len(msgspec.json.encode(name)) - len(b","), name)
        for name, raw in members.items()
        if name not in KEPT_MEMBERS
    ]


def _object(members: dict[str, msgspec.Raw], mark: dict[str, object], removed: list[str]) -> bytes:
    return msgspec.json.encode({**members, MARKER: {**mark, "members": removed}})


def _too_large(record: bytes, limit: int, advice: str) -> Rejected:
    return Rejected(
        f"the record has {len(record)} bytes, and the sink accepts {limit}; {advice}",
        reason="record-too-large",
    )
