"""Quarantine: what was refused and why, so that nothing vanishes silently.

There is one entry for each object, and one for all messages refused for the same reason that have
the same sender and topic.  Entries of objects and of messages each have a limit of their own;
beyond it the oldest are evicted and counted.  An object's entry first loses its details, and keeps
what a retry needs until a second limit is reached.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from trailcourier.ledger.entries import encode_limits, encode_ref
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store, announced_content, object_id
from trailcourier.models import Message, ObjectRef

ENTRY_BYTES = 4096  # of one entry's JSON, at most
BODY_BYTES = 300  # of a message's body, kept in its entry
READ_AT_ONCE = 500  # entries
NO_DETAILS = "There was no room for the details; they are in the log, as object_refused."


class QuarantinedRecord(NamedTuple):
    """A record that a sink refused: its ordinal in the file, the reason, and its eventID if any."""

    sink: str
    ordinal: int
    words: str
    event_id: str = ""


class QuarantineEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One refusal; times are milliseconds.

    *messages* are the latest of *messages_in_all* messages, *message* is the last of them.
    *sender* (SQS SenderId) and *topic* (ARN) say where it came from; *body* is its beginning,
    escaped.  *confirm* is the command that confirms a subscription.  *evicted* says that the
    details were dropped to make room for newer entries.
    """

    id: str
    kind: Literal["object", "message"]
    reason: str
    detail: str
    ref: ObjectRef | None = None
    message: str = ""
    confirm: str = ""
    records: tuple[QuarantinedRecord, ...] = ()
    records_in_all: int = 0
    first: int = 0
    last: int = 0
    times: int = 0
    sender: str = ""
    topic: str = ""
    body: str = ""
    messages: tuple[str, ...] = ()
    messages_in_all: int = 0
    evicted: bool = False

    @property
    def what(self) -> str:
        """The object or messages that were refused, for a person to read."""
        if self.ref is not None:
            return str(self.ref)
        more = self.messages_in_all - 1
        return f"message {self.message}" + (f" and {more} more" if more > 0 else "")


class _Occurrences(msgspec.Struct):
    """The changing part of an entry, as ``qx`` keeps it; *ref* is JSON."""

    kind: str
    reason: str
    ref: str
    first: int
    last: int
    times: int
    count: int
    messages: tuple[str, ...]
    sender: str = ""
    topic: str = ""


PUT_ENTRY = Script("put_entry")
REFUSE_MESSAGE = Script("refuse_message")
DROP_ENTRY = Script("drop_entry")


def entry_id(ref: ObjectRef) -> str:
    """Return the id of an object's entry; another content of the same key has another entry."""
    return (object_id(ref) + announced_content(ref)).hex()


def message_entry_id(reason: str, sender: str, topic: str) -> str:
    """Return the id of the entry of messages refused for *reason* with one sender and topic."""
    alike = f"{reason}\0{sender}\0{topic}"
    return hashlib.blake2b(alike.encode("utf-8", "replace"), digest_size=12).hexdigest()


def beginning(body: str) -> str:
    """Return the first 300 bytes of *body*, on one line of ASCII."""
    return body.encode("utf-8", "replace")[:BODY_BYTES].decode(errors="replace").encode(
        "unicode_escape"
    ).decode()  # fmt: skip


class Quarantine:
    """Answers what was refused of one source, and why."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, entry: QuarantineEntry) -> None:
        """Add *entry*, or count one more occurrence of it; it is cut to 4 KiB, and says so."""
        self._store.call(
            PUT_ENTRY, self._store.token(), entry.id, encode_entry(entry),
            encode_limits(self._store), entry.kind, entry.reason, encode_ref(entry.ref),
            entry.message, entry.sender, entry.topic,
        )  # fmt: skip

    def set_aside(
        self, entry: QuarantineEntry, message: Message, *, tries: int = 1
    ) -> tuple[Literal["new", "before", "failed", "held"], int]:
        """Refuse *message* with *entry* once it has failed *tries* times.

        Returns what became of it, and how often it has failed:

        | kind | meaning |
        |---|---|
        | "new" | it is in quarantine now |
        | "before" | it was refused before |
        | "failed" | it has failed fewer than *tries* times, and will be retried |
        | "held" | it has a lease, and the lease decides what becomes of it |
        """
        kind, times = self._store.call(
            REFUSE_MESSAGE, self._store.token(), entry.id, encode_entry(entry),
            encode_limits(self._store), entry.reason, message.id, message.receive_count,
            message.sent, tries, entry.sender, entry.topic,
        )  # fmt: skip
        return kind.decode(), times

    def get(self, entry: str) -> QuarantineEntry | None:
        """Return the entry with this id; None if there is none."""
        return next(self._read([entry.encode()]), None)

    def entries(self) -> list[QuarantineEntry]:
        """List all entries, including those without details, the latest first."""
        own, client = self._store.own, self._store.client
        ids = [each for name in ("qt", "qe", "qm") for each in client.zrange(f"{own}{name}", 0, -1)]
        parts = (ids[at : at + READ_AT_ONCE] for at in range(0, len(ids), READ_AT_ONCE))
        found = [entry for part in parts for entry in self._read(part)]
        return sorted(found, key=lambda entry: (entry.last, entry.id), reverse=True)

    def count(self) -> int:
        """Count the entries, with or without details."""
        return sum(self._counts())

    def count_evicted(self) -> int:
        """Count the objects whose entry has lost its details."""
        return self._counts()[1]

    def drop(self, entry: str) -> bool:
        """Remove an entry; False where there was none."""
        return bool(self._store.call(DROP_ENTRY, self._store.token(), entry))

    def _counts(self) -> tuple[int, int, int]:
        own = self._store.own
        with self._store.client.pipeline() as pipe:
            for name in ("qt", "qe", "qm"):
                pipe.zcard(f"{own}{name}")
            details, evicted, messages = pipe.execute()
        return details, evicted, messages

    def _read(self, ids: Sequence[bytes]) -> Iterator[QuarantineEntry]:
        own, client = self._store.own, self._store.client
        if not ids:
            return
        details, seen = client.hmget(f"{own}q", ids), client.hmget(f"{own}qx", ids)
        for id_, json, packed in zip(ids, details, seen, strict=True):
            if packed:
                yield _join(id_.decode(), json, msgspec.msgpack.decode(packed, type=_Occurrences))
            elif json:  # written by an earlier version, which kept everything in ``q``
                yield msgspec.json.decode(json, type=QuarantineEntry)


def encode_entry(entry: QuarantineEntry) -> bytes:
    """Encode *entry* as JSON, cut to 4 KiB: records first, then the body, then the details.

    The fields that change with each occurrence are left out: ``qx`` keeps those.
    """
    entry = msgspec.structs.replace(
        entry, first=0, last=0, times=0, sender="", topic="", messages=(), messages_in_all=0,
        evicted=False,
    )  # fmt: skip
    encoded = msgspec.json.encode(entry)
    while len(encoded) > ENTRY_BYTES and entry.records:
        kept = len(entry.records) * 3 // 4
        entry = msgspec.structs.replace(entry, records=entry.records[:kept])
        encoded = msgspec.json.encode(entry)
    if len(encoded) > ENTRY_BYTES:
        entry = msgspec.structs.replace(entry, body="", confirm="")
        encoded = msgspec.json.encode(entry)
    if len(encoded) > ENTRY_BYTES:
        detail = entry.detail[: max(80, len(entry.detail) - (len(encoded) - ENTRY_BYTES) - 20)]
        encoded = msgspec.json.encode(msgspec.structs.replace(entry, detail=f"{detail} ... (cut)"))
    return encoded


def _join(id_: str, json: bytes | None, seen: _Occurrences) -> QuarantineEntry:
    """Join the two parts of an entry; without *json* its details were evicted."""
    if json:
        entry = msgspec.json.decode(json, type=QuarantineEntry)
    else:
        ref = msgspec.json.decode(seen.ref, type=ObjectRef) if seen.ref else None
        entry = QuarantineEntry(id_, "object", seen.reason, NO_DETAILS, ref, evicted=True)
    return msgspec.structs.replace(
        entry, message=seen.messages[-1] if seen.messages else entry.message, first=seen.first,
        last=seen.last, times=seen.times, sender=seen.sender, topic=seen.topic,
        messages=seen.messages, messages_in_all=seen.count,
    )  # fmt: skip
