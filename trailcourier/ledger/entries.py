"""Entries of quarantine, as scripts see them.

``q`` has an entry's JSON by its id, which no script changes; ``qx`` what changes whenever an entry
is met again, and what stays of one without details.  The ids are in ``qt`` (objects), ``qe``
(objects without details) and ``qm`` (messages), by the time they were last met.
"""

import msgspec

from trailcourier.ledger.store import Store
from trailcourier.models import ObjectRef

ENTRIES = """
local function noted(id)
  local packed = redis.call('HGET', S .. 'qx', id)
  return packed and cmsgpack.unpack(packed)
end
local function names(x, mid)
  for _, each in ipairs(x.messages) do
    if each == mid then return true end
  end
  return false
end
local function met(id, x)
  x.last, x.times = NOW, x.times + 1
  redis.call('HSET', S .. 'qx', id, cmsgpack.pack(x))
  for _, set in ipairs({'qt', 'qe', 'qm'}) do redis.call('ZADD', S .. set, 'XX', NOW, id) end
end
local function make_room(most)
  while redis.call('ZCARD', S .. 'qm') > most.messages do
    local oldest = redis.call('ZPOPMIN', S .. 'qm')[1]
    redis.call('HDEL', S .. 'q', oldest)
    redis.call('HDEL', S .. 'qx', oldest)
    count('quarantine:messages-forgotten', 1)
  end
  while redis.call('ZCARD', S .. 'qt') > most.details do
    local oldest = redis.call('ZPOPMIN', S .. 'qt')
    redis.call('HDEL', S .. 'q', oldest[1])
    redis.call('ZADD', S .. 'qe', oldest[2], oldest[1])
    count('quarantine:evicted', 1)
  end
  while redis.call('ZCARD', S .. 'qe') > most.remembered do
    redis.call('HDEL', S .. 'qx', redis.call('ZPOPMIN', S .. 'qe')[1])
    count('quarantine:forgotten', 1)
  end
end
-- Enter `new`, or meet what there is of it once more: kind, reason, ref, message, sender, topic.
-- Without a sender, both are those of the message's lease.
local function enter(id, json, new, most)
  local x = noted(id) or {first = NOW, times = 0, count = 0, messages = {}}
  local lease = redis.call('HMGET', S .. 'm:' .. new.message, 'h', 'from', 'topic')
  local in_queue = new.message ~= '' and lease[1] ~= ''  -- a retry's has no receipt
  if in_queue and not names(x, new.message) then
    x.count = x.count + 1
    x.messages[#x.messages + 1] = new.message
    if #x.messages > 5 then table.remove(x.messages, 1) end
  end
  x.sender = new.sender or lease[2] or x.sender or ''
  x.topic = new.topic or lease[3] or x.topic or ''
  x.kind, x.reason, x.ref = new.kind, new.reason, new.ref
  redis.call('HSET', S .. 'q', id, json)
  redis.call('ZREM', S .. 'qe', id)
  redis.call('ZADD', S .. (new.kind == 'message' and 'qm' or 'qt'), NOW, id)
  met(id, x)
  make_room(most)
end
local function leave(id)
  for _, set in ipairs({'qt', 'qe', 'qm'}) do redis.call('ZREM', S .. set, id) end
  redis.call('HDEL', S .. 'qx', id)
  return redis.call('HDEL', S .. 'q', id)
end
local function hexadecimal(bytes)
  return (string.gsub(bytes, '.', function(c) return string.format('%02x', string.byte(c)) end))
end
-- Take out the entries that a delivery shows to be wrong: those of the contents delivered, and the
-- one of a notice that named no content.
local function disprove(oid, digests)
  if redis.call('EXISTS', S .. 'q', S .. 'qx') == 0 then return end
  local name = hexadecimal(oid)
  leave(name)
  for at = 1, #digests, 4 do leave(name .. hexadecimal(string.sub(digests, at, at + 3))) end
end
"""


def room(store: Store) -> bytes:
    """How many entries are kept, as scripts take it."""
    numbers = store.numbers
    return msgspec.json.encode(
        {
            "details": numbers.quarantine_entries,
            "remembered": numbers.quarantine_remembered,
            "messages": numbers.quarantine_messages,
        }
    )


def encoded_ref(ref: ObjectRef | None) -> bytes:
    """What a retry needs to know of an object."""
    return msgspec.json.encode(ref) if ref else b""
