"""A record larger than its sink takes: refused, or cut down and marked, never silently.

Cutting leaves a smaller JSON object: its largest members are ``null``, those that say who did what
and when keep the bytes AWS wrote, and one member more says what was done::

    "trailcourierTruncated":{"bytes":400123,"sha256":"...","members":["requestParameters"]}

``bytes`` and ``sha256`` are the record's as AWS wrote it, so the whole one can be found again.
"""

import hashlib

import msgspec

from trailcourier.errors import Rejected
from trailcourier.sinks.terms import Oversize

MARKER = "trailcourierTruncated"

# Who did what, when and where (the CloudTrail record reference); these are never cut.
KEPT = frozenset(
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


def fit(record: bytes, limit: int, policy: Oversize) -> bytes:
    """Return *record* itself, or one of at most *limit* bytes; raises Rejected if it cannot."""
    if len(record) <= limit:
        return record
    if policy == "refuse":
        raise _too_large(record, limit, 'raise `max_record_bytes` or set `oversize = "truncate"`')
    try:
        members = _members.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _too_large(record, limit, f"it cannot be cut: {error}") from error
    return _cut(record, members, limit)


def _cut(record: bytes, members: dict[str, msgspec.Raw], limit: int) -> bytes:
    """Null the largest of *members*, one by one, until what is left fits."""
    members.pop(MARKER, None)  # the one there may be is ours
    mark = {"bytes": len(record), "sha256": hashlib.sha256(record).hexdigest()}
    gone: list[str] = []
    size = len(_object(members, mark, gone))
    for gain, name in sorted(_gains(members), reverse=True):
        if size <= limit:
            break
        members[name] = _NULL
        gone.append(name)
        size -= gain
    smaller = _object(members, mark, gone)
    if len(smaller) > limit:
        raise _too_large(record, limit, "what identifies it is too large by itself")
    return smaller


def _gains(members: dict[str, msgspec.Raw]) -> list[tuple[int, str]]:
    """Say which members may go and how many bytes each frees: a null and a name take some."""
    return [
        (memoryview(raw).nbytes - len(b"null") - len(msgspec.json.encode(name)) - len(b","), name)
        for name, raw in members.items()
        if name not in KEPT
    ]


def _object(members: dict[str, msgspec.Raw], mark: dict[str, object], gone: list[str]) -> bytes:
    return msgspec.json.encode({**members, MARKER: {**mark, "members": gone}})


def _too_large(record: bytes, limit: int, advice: str) -> Rejected:
    return Rejected(
        f"a record of {len(record)} bytes, where the sink takes {limit}; {advice}",
        reason="record-too-large",
    )
