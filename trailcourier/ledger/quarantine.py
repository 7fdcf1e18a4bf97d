"""Quarantine: what was refused and why, so that nothing vanishes silently.

One entry an object (or message that could not be understood), upserted; at most so many a source,
the oldest going first and counted as it goes.
"""

import hashlib
from typing import Literal

import msgspec

from trailcourier.ledger.store import Script, Store, announced_content, object_id
from trailcourier.models import ObjectRef

ENTRY_BYTES = 4096


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One refusal; times are milliseconds, *records* are (sink, ordinal, the sink's words)."""

    id: str
    kind: Literal["object", "message"]
    reason: str
    detail: str
    ref: ObjectRef | None = None
    message: str = ""
    confirm: str = ""
    records: tuple[tuple[str, int, str], ...] = ()
    records_in_all: int = 0
    first: int = 0
    last: int = 0
    times: int = 0


PUT = Script("""
local token, id, entry, cap = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if remembered(token) then return end
local first, times = NOW, 1
local old = redis.call('HGET', S .. 'q', id)
if old then
  local was = cjson.decode(old)
  first, times = was.first, was.times + 1
end
local tail = string.format('"first":%d,"last":%d,"times":%d}', first, NOW, times)
redis.call('HSET', S .. 'q', id, string.sub(entry, 1, -2) .. ',' .. tail)
redis.call('ZADD', S .. 'qt', NOW, id)
while redis.call('ZCARD', S .. 'qt') > cap do
  local oldest = redis.call('ZPOPMIN', S .. 'qt')
  redis.call('HDEL', S .. 'q', oldest[1])
  count('quarantine:evicted', 1)
end
remember(token, 1)
""")

MET = """
-- Whether the queue brought back what has this entry, which is then noted in it.
local function met(id)
  local held = redis.call('HGET', S .. 'q', id)
  if not held then return false end
  held = string.gsub(held, '"last":%d+,"times":(%d+)}$', function(times)
    return string.format('"last":%d,"times":%d}', NOW, tonumber(times) + 1)
  end)
  redis.call('HSET', S .. 'q', id, held)
  redis.call('ZADD', S .. 'qt', NOW, id)
  return true
end
"""

MET_AGAIN = Script(
    MET
    + """
local before = remembered(ARGV[1])
if before then return before end
return remember(ARGV[1], met(ARGV[2]) and 1 or 0)
"""
)

DROP = Script("""
local before = remembered(ARGV[1])
if before then return before end
redis.call('ZREM', S .. 'qt', ARGV[2])
return remember(ARGV[1], redis.call('HDEL', S .. 'q', ARGV[2]))
""")


def entry_id(ref: ObjectRef) -> str:
    """The name of an object's entry: another content of the same key is another entry."""
    return (object_id(ref) + announced_content(ref)).hex()


def message_entry_id(message: str) -> str:
    """The name of the entry of a message that could not be understood."""
    return hashlib.blake2b(message.encode(), digest_size=12).hexdigest()


class Quarantine:
    """The refusals of one source."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, entry: Entry) -> None:
        """Enter *entry*, or count it once more; what exceeds 4 KiB is cut, and says so."""
        cap = self._store.numbers.quarantine_entries
        self._store.call(PUT, self._store.token(), entry.id, _fitted(entry), cap)

    def met(self, entry: str) -> bool:
        """Whether there is an entry of this name; if so, it has been seen once more."""
        return bool(self._store.call(MET_AGAIN, self._store.token(), entry))

    def get(self, entry: str) -> Entry | None:
        """The entry of this name, if there is one."""
        held = self._store.client.hget(f"{self._store.own}q", entry)
        return msgspec.json.decode(held, type=Entry) if held else None

    def entries(self) -> list[Entry]:
        """All entries, the latest first."""
        ids = self._store.client.zrevrange(f"{self._store.own}qt", 0, -1)
        held = self._store.client.hmget(f"{self._store.own}q", ids) if ids else []
        return [msgspec.json.decode(each, type=Entry) for each in held if each]

    def size(self) -> int:
        """How many entries there are."""
        return int(self._store.client.zcard(f"{self._store.own}qt"))

    def drop(self, entry: str) -> bool:
        """Remove an entry; False where there was none."""
        return bool(self._store.call(DROP, self._store.token(), entry))


def _fitted(entry: Entry) -> bytes:
    room = ENTRY_BYTES - 120  # the times, written in Lua
    encoded = msgspec.json.encode(entry)
    while len(encoded) > room and entry.records:
        kept = len(entry.records) * 3 // 4
        entry = msgspec.structs.replace(entry, records=entry.records[:kept])
        encoded = msgspec.json.encode(entry)
    if len(encoded) > room:
        detail = entry.detail[: max(80, len(entry.detail) - (len(encoded) - room) - 20)]
        entry = msgspec.structs.replace(entry, detail=f"{detail} ... (cut)", confirm="")
        encoded = msgspec.json.encode(entry)
    return encoded
