"""Leases: what we hold of the queue, message by message.

A lease is a hash: ``h`` newest receipt handle, ``c`` its receive count, ``w`` when it was received
by the receiver's clock, ``r`` when it was admitted, ``ad`` the token of its admission, ``u`` end
of visibility, ``st`` until when and for whom it is being settled (``until|token``), ``n`` how many
objects, ``o`` how many of them are still open, ``sent``, ``from`` its sender, ``topic`` what it
came through; and for each object *i*: ``i:r`` the reference, ``i:id`` its name, ``i:e`` the
content announced, ``i:b`` its bucket and account, ``i:g`` generation, ``i:a`` dispatched at,
``i:k`` the last claimant's token, ``i:x`` dispatches in vain, ``i:p`` the breaker it is parked
behind, ``i:pt`` since when and ``i:pb`` that it is now the probe of it, ``i:o`` the final outcome.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from trailcourier.ledger.admission import Admitted, Named, admitted
from trailcourier.ledger.returned import RETURNED
from trailcourier.ledger.store import Script, Store
from trailcourier.models import Message


class Verdict(msgspec.Struct, frozen=True):
    """How a message stands: *receipt* is empty for one carried without SQS (a retry).

    *sent* is SentTimestamp in milliseconds; 0 where SQS did not say.
    """

    message: str
    kind: Literal["delete", "leave", "keep", "gone"]
    receipt: str = ""
    receive_count: int = 0
    sent: int = 0


class Expiring(msgspec.Struct, frozen=True):
    """A lease whose visibility is to be extended; *age* is seconds since its receive."""

    message: str
    receipt: str
    age: float


VERDICT = Script("""
local answers = {}
local exclusive, token = tonumber(ARGV[1]), ARGV[2]
for a = 3, #ARGV do
  local mid = ARGV[a]
  local key = S .. 'm:' .. mid
  local f = redis.call('HMGET', key, 'n', 'h', 'c', 'st', 'sent')
  if not f[1] then
    answers[#answers + 1] = {mid, 'gone', '', 0, 0}
  else
    local final, refused = 0, false
    for i = 0, tonumber(f[1]) - 1 do
      local o = redis.call('HGET', key, i .. ':o')
      if o then
        final = final + 1
        refused = refused or string.sub(o, 1, 7) == 'refused'
      end
    end
    local kind = 'keep'
    local deadline, asker = string.match(f[4] or '', '^(%d+)|(.*)$')
    if final == tonumber(f[1]) and (asker == token or not ahead(deadline, exclusive)) then
      kind = refused and 'leave' or 'delete'
      redis.call('HSET', key, 'st', string.format('%d|%s', NOW + exclusive, token))
      redis.call('ZADD', S .. 'done', NOW, mid)
    end
    answers[#answers + 1] = {mid, kind, f[2], tonumber(f[3]), tonumber(f[5])}
  end
end
return answers
""")

FORGET = Script(
    RETURNED
    + """
local token, field, unfinished = ARGV[1], ARGV[2], 0
local before = remembered(token)
if before then return before end
for a = 3, #ARGV do
  local mid = ARGV[a]
  local f = redis.call('HMGET', S .. 'm:' .. mid, 'h', 'c', 'sent', 'o')
  if f[1] then
    unfinished = unfinished + tonumber(f[4])
    if f[1] ~= '' and field ~= '' then
      count(field, 1)
      if field == 'messages:deleted' then
        forget_return(mid)
      else
        went_back(mid, tonumber(f[2]), tonumber(f[3]), field == 'messages:left' and 1 or 0)
      end
    end
  end
  forget(mid)
end
if unfinished > 0 then count('objects:unfinished', unfinished) end
return remember(token, unfinished)
"""
)

EXPIRING = Script("""
local token, half, hold, most, answers = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]),
  tonumber(ARGV[4]), {}
local before = remembered(token)
if before then return before end
local due = redis.call('ZRANGEBYSCORE', S .. 'leases', '-inf', NOW + half, 'LIMIT', 0, most)
if #due == 0 then  -- further ahead than any visibility: the broker's clock was put back
  due = redis.call('ZRANGEBYSCORE', S .. 'leases', NOW + 2 * half + 60000, '+inf', 'LIMIT', 0, most)
end
for _, mid in ipairs(due) do
  local f = redis.call('HMGET', S .. 'm:' .. mid, 'h', 'r')
  if f[1] then
    redis.call('ZADD', S .. 'leases', NOW + half + hold, mid)
    answers[#answers + 1] = {mid, f[1], NOW - tonumber(f[2])}
  else
    redis.call('ZREM', S .. 'leases', mid)
  end
end
return #due > 0 and remember(token, answers) or answers
""")

EXTENDED = Script("""
local done = 0
if remembered(ARGV[1]) then return end
for a = 2, #ARGV, 3 do
  local key = S .. 'm:' .. ARGV[a]
  if redis.call('HGET', key, 'h') == ARGV[a + 1] then
    local till = NOW + tonumber(ARGV[a + 2]) * 1000
    redis.call('HSET', key, 'u', till)
    redis.call('ZADD', S .. 'leases', till, ARGV[a])
    done = done + 1
  end
end
count('leases:extended', done)
remember(ARGV[1], 1)
""")

COMPLETE = Script("""
local token, till = ARGV[1], NOW - tonumber(ARGV[2])
local before = remembered(token)
if before then return before end
local due = redis.call('ZRANGEBYSCORE', S .. 'done', '-inf', till, 'LIMIT', 0, 200)
if #due == 0 then  -- later than now: the broker's clock was put back
  due = redis.call('ZRANGEBYSCORE', S .. 'done', NOW + 60000, '+inf', 'LIMIT', 0, 200)
end
for _, mid in ipairs(due) do redis.call('ZADD', S .. 'done', NOW, mid) end
return #due > 0 and remember(token, due) or due
""")


HELD = Script("""
local oldest, receives = 0, 0
for _, mid in ipairs(redis.call('ZRANGE', S .. 'leases', 0, -1)) do
  local f = redis.call('HMGET', S .. 'm:' .. mid, 'sent', 'r', 'c')
  local since = tonumber(f[1] or '0') > 0 and tonumber(f[1]) or tonumber(f[2] or '0')
  if since > 0 and (oldest == 0 or since < oldest) then oldest = since end
  receives = math.max(receives, tonumber(f[3] or '0'))
end
return {oldest, receives}
""")


class HeldMessages(msgspec.Struct, frozen=True):
    """The extremes of the messages held.

    *oldest* is when one was sent or, where SQS did not say, admitted: milliseconds, None without
    any.  *receives* is how often one was received.
    """

    oldest: int | None
    receives: int


class Leases:
    """What one source holds of its queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(
        self, message: Message, named: Sequence[Named], *, received: float, visibility: int,
        beside: int = 0, topic: str = "",
    ) -> Admitted:  # fmt: skip
        """Lease *message* and say which of its objects need work.

        *received* is the receiver's clock, which orders two receives of one count; *visibility*
        is seconds; *beside* counts what the message says of objects that nobody created; *topic*
        is the ARN it came through.  A live lease only takes the newer handle.  A retry has no
        receipt.
        """
        return admitted(
            self._store, message, named, received=received, visibility=visibility, beside=beside,
            topic=topic,
        )  # fmt: skip

    def verdicts(self, messages: Sequence[str]) -> list[Verdict]:
        """How each message stands; who is told to delete or leave has ten seconds to do so."""
        if not messages:
            return []
        answers = self._store.call(VERDICT, 10_000, self._store.token(), *messages)
        return [
            Verdict(mid.decode(), kind.decode(), handle.decode(), receives, sent)
            for mid, kind, handle, receives, sent in answers
        ]

    def forget(self, messages: Sequence[str], sum_field: str = "") -> int:
        """Drop leases, counting under *sum_field* what became of them; how many objects were open.

        Those of a retry count as no message.
        """
        if not messages:
            return 0
        return int(self._store.call(FORGET, self._store.token(), sum_field, *messages))

    def expiring(self) -> list[Expiring]:
        """Leases with less than half their visibility left, each told to one caller only."""
        half = self._store.numbers.visibility * 500
        answers = self._store.call(EXPIRING, self._store.token(), half, 10_000, 200)
        return [Expiring(m.decode(), handle.decode(), age / 1000) for m, handle, age in answers]

    def extended(self, leases: Sequence[tuple[str, str, int]]) -> None:
        """Note message, handle and seconds of each lease that SQS has extended."""
        if leases:
            flat = (part for lease in leases for part in lease)
            self._store.call(EXTENDED, self._store.token(), *flat)

    def ready(self) -> list[str]:
        """Messages whose objects are all done; who finishes one from now on asks for a settle."""
        self._store.client.delete(f"{self._store.own}settling")
        return self.complete(since=0)

    def finished(self) -> int:
        """How many messages are done with and wait to be settled."""
        return int(self._store.client.zcard(f"{self._store.own}done"))

    def held(self) -> HeldMessages:
        """How old the oldest message is, and how often one was received."""
        oldest, receives = self._store.call(HELD)
        return HeldMessages(oldest or None, receives)

    def complete(self, *, since: float) -> list[str]:
        """Messages whose objects have all been done for *since* seconds, yet nobody settled."""
        done = self._store.call(COMPLETE, self._store.token(), int(since * 1000))
        return [mid.decode() for mid in done]
