"""Flow: how much may be in hand, who polls, and what must be dispatched again."""

from collections.abc import Sequence

import msgspec

from trailcourier.ledger.parked import AGAIN, Due, as_due
from trailcourier.ledger.poll_lease import PollLease
from trailcourier.ledger.store import Script, Store
from trailcourier.ledger.workers import ALIVE

DEGRADED = 3_600_000  # ms until visibility is changed again, to see whether it may be


class Lost(msgspec.Struct, frozen=True):
    """What a look at the forwards in flight found: to dispatch again, and to give back."""

    due: tuple[Due, ...]
    in_vain: tuple[str, ...]


class Room(msgspec.Struct, frozen=True):
    """How many objects may still be taken; *why* says what holds the source if few or none."""

    objects: int
    why: str = ""


ROOM = Script(
    ALIVE
    + """
local cap, per, alive = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local pause, token = tonumber(ARGV[4]), ARGV[5]
local flying, parked = redis.call('ZCARD', S .. 'flight'), redis.call('ZCARD', S .. 'parked')
local open_ones = {}
for a = 6, #ARGV do
  if is_open(ARGV[a]) then open_ones[#open_ones + 1] = ARGV[a] end
end
-- A receive is a probe of the queue.  Of a sink it is none: the object it brings takes that probe.
local queue, idle = ARGV[6], flying == 0 and parked == 0
for _, name in ipairs(open_ones) do
  local may
  if name == queue then may = probes(name, pause, token)
  else may = (idle or rejects_all(name)) and probe_is_due(name, pause, token) end
  if not may then return {0, name} end
end
if #open_ones > 0 then return {1, ''} end
local threads = alive_threads(alive)
if threads == 0 then return {0, 'no-workers'} end
cap = math.min(cap, per * threads)
local room = cap - flying
return {math.max(room, 0), room < math.min(10, cap / 2) and 'in-flight' or ''}  -- ten: a receive
"""
)

NOW = Script("return NOW")

LOST = Script(
    AGAIN
    + """
local token, idle, after, quiet = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local most, keep = tonumber(ARGV[5]), ARGV[6] == '1'
local before = remembered(token)
if before then return before end
local high = math.min(NOW, tonumber(redis.call('GET', G .. 'high') or '0'))
local due, vain = {}, {}
for _, member in ipairs(redis.call('ZRANGE', S .. 'flight', 0, -1)) do
  local mid, i = parts(member)
  local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':a', i .. ':k', i .. ':id', i .. ':o')
  if not f[1] or f[4] then
    redis.call('ZREM', S .. 'flight', member)
  elseif not held_claim(f[3]) then
    local at = math.min(NOW, tonumber(f[1]))
    if f[2] or at + after <= high or (idle and at + quiet <= NOW) then
      -- waiting for the claim of another task on the same object is not in vain
      local by = f[2] == 'waiting' and 0 or 1
      local times = redis.call('HINCRBY', S .. 'm:' .. mid, i .. ':x', by)
      if times > most and not keep then
        vain[#vain + 1] = mid
      elseif #due < 500 then
        due[#due + 1] = again(mid, i)
      end
    end
  end
end
if #due == 0 and #vain == 0 then return {due, vain} end
count('forwards:again', #due)
return remember(token, {due, vain})
"""
)

HEARD = Script("""
if remembered(ARGV[1]) then return end
if ARGV[2] == '1' then redis.call('DEL', S .. 'quiet') else redis.call('INCR', S .. 'quiet') end
remember(ARGV[1], 1)
""")

DEGRADE = Script("""
local token, life = ARGV[1], tonumber(ARGV[2])
local deadline, first = string.match(redis.call('GET', S .. 'degraded') or '', '^(%d+)|(.*)$')
if ahead(deadline, life) then return first == token and 1 or 0 end
redis.call('SET', S .. 'degraded', string.format('%d|%s', NOW + life, token), 'PX', 2 * life)
return 1
""")

IS_DEGRADED = Script("""
local deadline = string.match(redis.call('GET', S .. 'degraded') or '', '^(%d+)|')
return ahead(deadline, tonumber(ARGV[1])) and 1 or 0
""")


class Flow:
    """What one source has in hand."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def room(self, sinks: Sequence[str]) -> Room:
        """How many more objects to take: none without workers, or behind an open breaker.

        An open queue breaker lets one receive through as its probe; a sink's, when no object is
        left to probe with or those that are left are all rejected, lets receives through until
        one brings an object.
        """
        numbers = self._store.numbers
        objects, why = self._store.call(
            ROOM, numbers.in_flight, numbers.in_flight_per_thread,
            numbers.heartbeat * 1000, int(numbers.breaker_probe * 1000),
            self._store.token(), f"queue:{self._store.source}", f"credentials:{self._store.source}",
            *(f"sink:{name}" for name in sinks),
        )  # fmt: skip
        return Room(objects, why.decode())

    def poll_lease(self, slot: int) -> PollLease:
        """A wish of this process to poll the source in *slot*."""
        return PollLease(self._store, slot)

    def lost(self, *, idle: bool, keep: bool) -> Lost:
        """Forwards that will not come back, each told to one caller only.

        *idle* says that no forward waits in the broker; *keep* that no message may be given back.
        """
        numbers = self._store.numbers
        due, vain = self._store.call(
            LOST, self._store.token(), int(idle), numbers.lost_after * 1000,
            numbers.idle_after * 1000, numbers.redispatches, int(keep),
        )  # fmt: skip
        return Lost(as_due(due), tuple(sorted({mid.decode() for mid in vain})))

    def in_hand(self) -> tuple[int, int, int]:
        """Objects in flight, objects parked, messages leased."""
        own, client = self._store.own, self._store.client
        with client.pipeline(transaction=False) as pipe:
            pipe.zcard(f"{own}flight")
            pipe.zcard(f"{own}parked")
            pipe.zcard(f"{own}leases")
            flight, parked, leases = pipe.execute()
        return flight, parked, leases

    def heard(self, *, something_new: bool) -> None:
        """Note a receive; those in a row that brought nothing new are counted."""
        self._store.call(HEARD, self._store.token(), int(something_new))

    def quiet(self) -> int:
        """How many receives in a row have brought nothing new."""
        return int(self._store.client.get(f"{self._store.own}quiet") or 0)

    def now(self) -> int:
        """The ledger's clock, in milliseconds."""
        return int(self._store.call(NOW))

    def degrade(self) -> bool:
        """Note for an hour that visibility cannot be changed; True the first time."""
        return bool(self._store.call(DEGRADE, self._store.token(), DEGRADED))

    def degraded(self) -> bool:
        """Whether this source may not change visibility."""
        return bool(self._store.call(IS_DEGRADED, DEGRADED))
