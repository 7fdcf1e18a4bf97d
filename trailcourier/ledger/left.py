"""Messages left to the queue, as too many objects of their bucket and account are parked.

They stay hidden there for as long as SQS allows, so they cost one receive in twelve hours; when a
breaker of the bucket closes, or after some minutes when few objects are parked, they are handed
back; and one now and then when nothing of the bucket is parked, so that its breaker can close.
"""

import msgspec

from trailcourier.ledger.store import Script, Store

MOST = 20_000  # messages of one source that are known; others come back by themselves


PATIENCE = 300_000  # ms after which a message is handed back though no breaker has closed
EARLY = 3  # receives; who was received more often is not handed back early any more


class LeftMessage(msgspec.Struct, frozen=True):
    """A message that is not held: its newest receipt, and seconds since its receive.

    *bucket* is the one, with an account, that has too many parked objects.
    """

    message: str
    receipt: str
    receive_count: int
    bucket: str
    age: float = 0.0


FULL = Script("""
local token, found = ARGV[1], {}
local before = remembered(token)
if before then return before end
for _, mid in ipairs(redis.call('ZRANGE', S .. 'full', 0, tonumber(ARGV[2]) - 1)) do
  local key = S .. 'm:' .. mid
  local f = redis.call('HMGET', key, 'h', 'r', 'n', 'c')
  local bucket = ''
  for i = 0, tonumber(f[3] or '0') - 1 do
    if redis.call('ZSCORE', S .. 'parked', mid .. '/' .. i) then
      bucket = redis.call('HGET', key, i .. ':b') or ''
      break
    end
  end
  redis.call('ZREM', S .. 'full', mid)
  if bucket ~= '' and f[1] ~= '' then
    found[#found + 1] = {mid, f[1], tonumber(f[4]), bucket, NOW - tonumber(f[2])}
  end
end
return #found > 0 and remember(token, found) or found
""")

NOTE = Script("""
local bucket, most = ARGV[1], tonumber(ARGV[2])
local key = S .. 'left:' .. bucket
for a = 3, #ARGV, 3 do
  redis.call('ZADD', key, NOW, ARGV[a])
  redis.call('HSET', S .. 'left', ARGV[a], ARGV[a + 1] .. '|' .. ARGV[a + 2])
end
redis.call('SADD', S .. 'left:buckets', bucket)
while redis.call('HLEN', S .. 'left') > most do
  local oldest = redis.call('ZPOPMIN', key)
  if not oldest[1] then break end
  redis.call('HDEL', S .. 'left', oldest[1])
end
""")

RECOVERED = Script("""
local token, source, room, parked = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local patience, pause = tonumber(ARGV[5]), tonumber(ARGV[6])
local before, found = remembered(token), {}
if before then return before end
local buckets = redis.call('SMEMBERS', S .. 'left:buckets')
table.sort(buckets)
for _, bucket in ipairs(buckets) do
  local key, name = S .. 'left:' .. bucket, 'bucket:' .. source .. ':' .. bucket
  local whole = string.match(name, '^[^/]*')
  local f = redis.call('HMGET', G .. 'closed', name, whole)
  local closed = math.max(tonumber(f[1] or '0'), tonumber(f[2] or '0'))
  local held = tonumber(redis.call('HGET', S .. 'buckets', bucket) or '0')
  local till, most = math.max(closed, NOW - patience), 0
  if not is_open(name) and not is_open(whole) then
    most = held < parked / 2 and room or 0
  elseif held == 0 then  -- no object is left to probe with, and only a probe closes a breaker
    local open_one = is_open(whole) and whole or name
    till, most = NOW - pause, probe_is_due(open_one, pause, token) and math.min(room, 1) or 0
  end
  if most > 0 then
    for _, mid in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', till, 'LIMIT', 0, most)) do
      local receives, handle = string.match(redis.call('HGET', S .. 'left', mid), '^(%d+)|(.*)$')
      redis.call('ZREM', key, mid)
      redis.call('HDEL', S .. 'left', mid)
      found[#found + 1] = {mid, handle, tonumber(receives), bucket, 0}
    end
    if redis.call('EXISTS', key) == 0 then redis.call('SREM', S .. 'left:buckets', bucket) end
  end
end
return #found > 0 and remember(token, found) or found
""")


class Left:
    """The messages of one source that are left to its queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def full(self, most: int) -> list[LeftMessage]:
        """Up to *most* messages held that have more parked objects than their bucket may have."""
        return _messages(self._store.call(FULL, self._store.token(), most))

    def note(self, messages: list[LeftMessage]) -> None:
        """Remember messages that were left, to hand them back when their bucket recovers."""
        for bucket in sorted({each.bucket for each in messages}):
            flat = [
                part
                for each in messages
                if each.bucket == bucket
                for part in (each.message, each.receive_count, each.receipt)
            ]
            self._store.call(NOTE, bucket, MOST, *flat)

    def recovered(self, room: int) -> list[LeftMessage]:
        """Up to *room* messages whose bucket has recovered since they were left, oldest first.

        And one of a bucket whose breaker is open, where nothing else is there to probe it with.
        """
        store = self._store
        numbers = store.numbers
        rows = store.call(
            RECOVERED, store.token(), store.source, room, numbers.parked, PATIENCE,
            int(numbers.breaker_probe * 1000),
        )  # fmt: skip
        return [each for each in _messages(rows) if each.receive_count <= EARLY]

    def size(self) -> int:
        """How many messages are left and known."""
        return int(self._store.client.hlen(f"{self._store.own}left"))


def _messages(rows: list[tuple[bytes, bytes, int, bytes, int]]) -> list[LeftMessage]:
    return [
        LeftMessage(mid.decode(), receipt.decode(), receives, bucket.decode(), age / 1000)
        for mid, receipt, receives, bucket, age in rows
    ]
