"""Parked objects: which of them may be tried again now, and what they wait for.

They wait in scopes, one for each breaker and one for those that wait for none.  A breaker that
closed releases its scope step by step: one object, then two, four, ...  All scopes take turns, so
that a large one does not keep the others waiting.
"""

from collections.abc import Sequence

import msgspec

from trailcourier.ledger.store import Script, Store
from trailcourier.models import ObjectRef


class Due(msgspec.Struct, frozen=True):
    """An object to dispatch (again), under its new generation."""

    message: str
    index: int
    generation: int
    ref: ObjectRef


class Waiting(msgspec.Struct, frozen=True):
    """A parked object: why, behind which breaker, if behind one, and what went wrong, in words."""

    ref: ObjectRef
    reason: str
    breaker: str = ""
    detail: str = ""


AGAIN = """
local function again(mid, i)
  local key = S .. 'm:' .. mid
  local gen = redis.call('HINCRBY', key, i .. ':g', 1)
  redis.call('HSET', key, i .. ':a', NOW)
  redis.call('HDEL', key, i .. ':k')
  redis.call('ZADD', S .. 'flight', NOW, mid .. '/' .. i)
  return {mid, tonumber(i), gen, redis.call('HGET', key, i .. ':r')}
end
local function parts(member)
  local mid, i = string.match(member, '^(.*)/(%d+)$')
  return mid, i
end
"""

READY = Script(
    AGAIN
    + """
local token, room, longest, last = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local before = remembered(token)
if before then return before end
local due, scopes = {}, redis.call('SMEMBERS', S .. 'scopes')
table.sort(scopes)

-- A closed breaker's objects are due in the order they were, a few at first.
local function released(scope)
  local closed = redis.call('HGET', G .. 'closed', scope)
  if closed and closed ~= redis.call('HGET', S .. 'released', scope) then
    local key = S .. 'p:' .. scope
    redis.call('HSET', S .. 'released', scope, closed, 'step:' .. scope, 1)
    redis.call('ZUNIONSTORE', key, 1, key, 'WEIGHTS', 0.000001)
  end
  return tonumber(redis.call('HGET', S .. 'released', 'step:' .. scope)) or room
end

local function candidates(scope)
  local key = S .. 'p:' .. scope
  if scope ~= '' and is_open(scope) then
    local found = {}
    if others_first(scope, longest) then return found end
    for _, member in ipairs(redis.call('ZRANGE', key, 0, math.min(room, 16) - 1)) do
      if not probes(scope, longest, token .. member) then break end
      local mid, i = parts(member)
      redis.call('HSET', S .. 'm:' .. mid, i .. ':pb', scope)
      found[#found + 1] = member
    end
    return found
  end
  local step = scope == '' and room or released(scope)
  local found = redis.call('ZRANGEBYSCORE', key, '-inf', NOW, 'LIMIT', 0, math.min(step, room))
  if #found == 0 then  -- due later than any wait: the broker's clock was put back
    found = redis.call('ZRANGEBYSCORE', key, NOW + last, '+inf', 'LIMIT', 0, math.min(step, room))
  end
  if #found < step then redis.call('HDEL', S .. 'released', 'step:' .. scope)
  else redis.call('HSET', S .. 'released', 'step:' .. scope, step * 2) end
  return found
end

local turn = {}
local first = #scopes > 0 and redis.call('INCR', S .. 'turn') % #scopes or 0
for at = 1, #scopes do
  turn[at] = candidates(scopes[(at + first - 1) % #scopes + 1])
end
local place, more = 1, true
while more and #due < room do
  more = false
  for _, found in ipairs(turn) do
    local member = found[place]
    if member and #due < room then
      more = true
      local mid, i = parts(member)
      local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':r')
      unpark(mid, i)
      if f[1] then due[#due + 1] = again(mid, i) end
    end
  end
  place = place + 1
end
return #due > 0 and remember(token, due) or due
"""
)

HURRY = Script("""
for _, scope in ipairs(redis.call('SMEMBERS', S .. 'scopes')) do
  local key = S .. 'p:' .. scope
  redis.call('ZUNIONSTORE', key, 1, key, 'WEIGHTS', 0.000001)
end
""")

WAITING = Script(
    AGAIN
    + """
local most, found, scopes = tonumber(ARGV[1]), {}, redis.call('SMEMBERS', S .. 'scopes')
table.sort(scopes)
for at = #scopes, 1, -1 do  -- those that wait for no breaker last
  local scope, share = scopes[at], math.max(1, math.floor(most / #scopes))
  for _, member in ipairs(redis.call('ZRANGE', S .. 'p:' .. scope, 0, share - 1)) do
    local mid, i = parts(member)
    local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':r', i .. ':pr', i .. ':pd')
    if f[1] then found[#found + 1] = {f[1], f[2] or 'breaker-open', scope, f[3] or ''} end
  end
end
return found
"""
)


class Parked:
    """The parked objects of one source."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ready(self, room: int) -> tuple[Due, ...]:
        """Up to *room* objects to try again now: due, or released, or as probes of a breaker."""
        if room <= 0:
            return ()
        numbers = self._store.numbers
        longest = int(numbers.breaker_probe * 1000)
        last = int(numbers.park_last * 1000) + longest + 60_000
        return as_due(self._store.call(READY, self._store.token(), room, longest, last))

    def hurry(self) -> None:
        """Let every parked object be due now."""
        self._store.call(HURRY)

    def waiting(self, most: int) -> tuple[Waiting, ...]:
        """About *most* parked objects, some of each scope, the next due of each first."""
        return tuple(
            Waiting(msgspec.json.decode(ref, type=ObjectRef), *(each.decode() for each in told))
            for ref, *told in self._store.call(WAITING, most)
        )


def as_due(rows: Sequence[tuple[bytes, int, int, bytes]]) -> tuple[Due, ...]:
    """What a script answered, as objects to dispatch."""
    return tuple(
        Due(mid.decode(), index, generation, msgspec.json.decode(ref, type=ObjectRef))
        for mid, index, generation, ref in rows
    )
