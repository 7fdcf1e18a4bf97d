"""Quarantine: what was refused and why, so that nothing vanishes silently.

There is one entry for an object, and one for all messages that are alike: refused for the same
reason, from the same sender and topic.  Beyond a number of their own, the oldest objects and the
oldest messages make room, and are counted.  Of an object's entry the details go first; what a retry
needs stays.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from trailcourier.ledger.entries import encoded_ref, room
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store, announced_content, object_id
from trailcourier.models import Message, ObjectRef

ENTRY_BYTES = 4096
BODY_BYTES = 300
READ_AT_ONCE = 500
NO_DETAILS = "There was no room for the details; they are in the log, as object_refused."


class RejectedRecord(NamedTuple):
    """A record that a sink refused: its ordinal in the file, why, and its eventID if it has one."""

    sink: str
    ordinal: int
    words: str
    event_id: str = ""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One refusal; times are milliseconds.

    *messages* are the latest of *messages_in_all*, *message* the last; *sender* and *topic* are
    what SQS and SNS say of it, *body* its beginning, escaped.  *evicted*: its details made room.
    """

    id: str
    kind: Literal["object", "message"]
    reason: str
    detail: str
    ref: ObjectRef | None = None
    message: str = ""
    confirm: str = ""
    records: tuple[RejectedRecord, ...] = ()
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
        """What was refused, for a person."""
        if self.ref is not None:
            return str(self.ref)
        more = self.messages_in_all - 1
        return f"message {self.message}" + (f" and {more} more" if more > 0 else "")


class _Met(msgspec.Struct):
    """What ``qx`` has of an entry; *ref* is JSON."""

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
SET_MESSAGE_ASIDE = Script("set_message_aside")
DROP_ENTRY = Script("drop_entry")


def entry_id(ref: ObjectRef) -> str:
    """The name of an object's entry: another content of the same key is another entry."""
    return (object_id(ref) + announced_content(ref)).hex()


def message_entry_id(reason: str, sender: str, topic: str) -> str:
    """The name of the entry of messages refused for *reason* that come from the same place."""
    alike = f"{reason}\0{sender}\0{topic}"
    return hashlib.blake2b(alike.encode("utf-8", "replace"), digest_size=12).hexdigest()


def beginning(body: str) -> str:
    """The first 300 bytes of *body*, on one line of ASCII."""
    return body.encode("utf-8", "replace")[:BODY_BYTES].decode(errors="replace").encode(
        "unicode_escape"
    ).decode()  # fmt: skip


class Quarantine:
    """The refusals of one source."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, entry: Entry) -> None:
        """Enter *entry*, or count it once more; what exceeds 4 KiB is cut, and says so."""
        self._store.call(
            PUT_ENTRY, self._store.token(), entry.id, encoded(entry), room(self._store), entry.kind,
            entry.reason, encoded_ref(entry.ref), entry.message, entry.sender, entry.topic,
        )  # fmt: skip

    def set_aside(
        self, entry: Entry, message: Message, *, tries: int = 1
    ) -> tuple[Literal["new", "before", "failed", "held"], int]:
        """Refuse *message*, as *entry* says, from the *tries*-th time on.

        What became of it, and how often it was tried: it is "new" in quarantine, it was refused
        "before", it "failed" and may be tried again, or it is "held" by a lease that decides.
        """
        kind, times = self._store.call(
            SET_MESSAGE_ASIDE, self._store.token(), entry.id, encoded(entry), room(self._store),
            entry.reason, message.id, message.receive_count, message.sent, tries,
            entry.sender, entry.topic,
        )  # fmt: skip
        return kind.decode(), times

    def get(self, entry: str) -> Entry | None:
        """The entry of this name, if there is one."""
        return next(self._read([entry.encode()]), None)

    def entries(self) -> list[Entry]:
        """All entries, those without details too, the latest first."""
        own, client = self._store.own, self._store.client
        ids = [each for name in ("qt", "qe", "qm") for each in client.zrange(f"{own}{name}", 0, -1)]
        parts = (ids[at : at + READ_AT_ONCE] for at in range(0, len(ids), READ_AT_ONCE))
        found = [entry for part in parts for entry in self._read(part)]
        return sorted(found, key=lambda entry: (entry.last, entry.id), reverse=True)

    def size(self) -> int:
        """How many entries there are, with or without details."""
        return sum(self._sizes())

    def evicted(self) -> int:
        """How many objects have an entry without details."""
        return self._sizes()[1]

    def drop(self, entry: str) -> bool:
        """Remove an entry; False where there was none."""
        return bool(self._store.call(DROP_ENTRY, self._store.token(), entry))

    def _sizes(self) -> tuple[int, int, int]:
        own = self._store.own
        with self._store.client.pipeline(transaction=False) as pipe:
            for name in ("qt", "qe", "qm"):
                pipe.zcard(f"{own}{name}")
            details, evicted, messages = pipe.execute()
        return details, evicted, messages

    def _read(self, ids: Sequence[bytes]) -> Iterator[Entry]:
        own, client = self._store.own, self._store.client
        if not ids:
            return
        told, met = client.hmget(f"{own}q", ids), client.hmget(f"{own}qx", ids)
        for id_, json, packed in zip(ids, told, met, strict=True):
            if packed:
                yield _whole(id_.decode(), json, msgspec.msgpack.decode(packed, type=_Met))
            elif json:  # of an earlier version, which kept all in one
                yield msgspec.json.decode(json, type=Entry)


def encoded(entry: Entry) -> bytes:
    """The JSON of *entry*, cut to 4 KiB: records first, then the body and the details.

    Without what changes when it is met again, which is kept apart.
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


def _whole(id_: str, json: bytes | None, met: _Met) -> Entry:
    if json:
        entry = msgspec.json.decode(json, type=Entry)
    else:
        ref = msgspec.json.decode(met.ref, type=ObjectRef) if met.ref else None
        entry = Entry(id_, "object", met.reason, NO_DETAILS, ref, evicted=True)
    return msgspec.structs.replace(
        entry, message=met.messages[-1] if met.messages else entry.message, first=met.first,
        last=met.last, times=met.times, sender=met.sender, topic=met.topic,
        messages=met.messages, messages_in_all=met.count,
    )  # fmt: skip
