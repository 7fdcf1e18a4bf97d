"""Leases: what we hold of the queue, message by message.

A lease is a hash: ``h`` newest receipt handle, ``c`` its receive count, ``w`` when it was received
by the receiver's clock, ``r`` when it was admitted, ``ad`` the token of its admission, ``u`` end
of visibility, ``st`` until when and for whom it is being settled (``until|token``), ``n`` how many
objects, ``o`` how many of them are still open, ``sent``; and for each object *i*: ``i:r`` the
reference, ``i:id`` its name, ``i:e`` the content announced, ``i:b`` its bucket, ``i:g``
generation, ``i:a`` dispatched at, ``i:k`` the last claimant's token, ``i:x`` dispatches in vain,
``i:p`` the breaker it is parked behind, ``i:pt`` since when and ``i:pb`` that it is now the probe
of it, ``i:o`` the final outcome.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from trailcourier.ledger.quarantine import MET, entry_id
from trailcourier.ledger.store import Script, Store, announced_content, object_id
from trailcourier.models import Message, ObjectRef


class Named(msgspec.Struct, frozen=True):
    """An object as a message names it; *verdict* is its outcome where no read is needed."""

    ref: ObjectRef
    verdict: str = ""


class Admitted(msgspec.Struct, frozen=True):
    """What to do with a message just received.

    *indices* are the objects that need work, *known* counts those delivered before.
    """

    kind: Literal["work", "held", "settle", "quarantined"]
    indices: tuple[int, ...] = ()
    known: int = 0


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


ADMIT = Script(
    MET
    + """
-- What was answered when this lease was made, for a client whose answer was lost.
local function admission(mid, n)
  local open, known = {}, 0
  for i = 0, n - 1 do
    local outcome = redis.call('HGET', S .. 'm:' .. mid, i .. ':o')
    if not outcome then open[#open + 1] = i
    elseif outcome == 'skipped:already-delivered' then known = known + 1 end
  end
  return {#open == 0 and 'settle' or 'work', open, known}
end

local mid, handle, c, w, visible, sent, spans, n = ARGV[1], ARGV[2], tonumber(ARGV[3]),
  tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local token, key = ARGV[9], S .. 'm:' .. mid
local before = remembered(token)
if before then return before end
local held = redis.call('HMGET', key, 'c', 'w', 'o', 'ad')
if held[1] and held[4] == token then return admission(mid, n) end
if held[1] then
  local older = c < tonumber(held[1]) or (c == tonumber(held[1]) and w < tonumber(held[2]))
  if not older then
    redis.call('HSET', key, 'h', handle, 'c', c, 'w', w, 'r', NOW, 'u', NOW + visible)
    redis.call('ZADD', S .. 'leases', NOW + visible, mid)
  end
  return {held[3] == '0' and 'settle' or 'held'}
end
local out, open, known, refused, news = {}, {}, 0, false, false
for i = 0, n - 1 do
  local at = 10 + i * 6
  local oid, digest, verdict, entry = ARGV[at], ARGV[at + 1], ARGV[at + 4], ARGV[at + 5]
  if holds(contents(oid, spans), digest) then
    out[i] = 'skipped:already-delivered'
    known = known + 1
  elseif handle ~= '' and met(entry) then
    out[i], refused = 'refused:quarantined', true
  elseif verdict ~= '' then
    out[i] = verdict
    news = news or string.sub(verdict, 1, 7) == 'refused'
  else
    open[#open + 1], news = i, true
  end
end
if refused and not news then return remember(token, {'quarantined'}) end
for _, what in pairs(out) do
  if what ~= 'refused:quarantined' then count('objects:' .. what, 1) end
end
redis.call('HSET', key, 'h', handle, 'c', c, 'w', w, 'r', NOW, 'u', NOW + visible,
  'n', n, 'o', #open, 'sent', sent, 'ad', token)
if handle ~= '' then redis.call('ZADD', S .. 'leases', NOW + visible, mid) end
for i = 0, n - 1 do
  local at = 10 + i * 6
  redis.call('HSET', key, i .. ':id', ARGV[at], i .. ':e', ARGV[at + 1], i .. ':r', ARGV[at + 2],
    i .. ':b', ARGV[at + 3], i .. ':g', 1, i .. ':a', NOW)
  if out[i] then redis.call('HSET', key, i .. ':o', out[i]) end
end
for _, i in ipairs(open) do redis.call('ZADD', S .. 'flight', NOW, mid .. '/' .. i) end
if #open == 0 then
  redis.call('ZADD', S .. 'done', NOW, mid)
  return {'settle', {}, known}
end
return {'work', open, known}
"""
)

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

FORGET = Script("""
local token, field = ARGV[1], ARGV[2]
if remembered(token) then return end
for a = 3, #ARGV do forget(ARGV[a]) end
if field ~= '' then count(field, #ARGV - 2) end
remember(token, 1)
""")

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


OLDEST = Script("""
local oldest
for _, mid in ipairs(redis.call('ZRANGE', S .. 'leases', 0, -1)) do
  local f = redis.call('HMGET', S .. 'm:' .. mid, 'sent', 'r')
  local since = tonumber(f[1] or '0') > 0 and tonumber(f[1]) or tonumber(f[2] or '0')
  if since > 0 and (not oldest or since < oldest) then oldest = since end
end
return oldest
""")


class Leases:
    """What one source holds of its queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(
        self, message: Message, named: Sequence[Named], *, received: float, visibility: int
    ) -> Admitted:
        """Lease *message* and say which of its objects need work.

        *received* is the receiver's clock, which orders two receives of one count; *visibility*
        is seconds.  A live lease only takes the newer handle.  A retry has no receipt.
        """
        flat: list[str | bytes | float] = []
        for each in named:
            ref, content = each.ref, announced_content(each.ref)
            flat += [
                object_id(ref),
                content,
                msgspec.json.encode(ref),
                ref.bucket,
                each.verdict,
                entry_id(ref),
            ]
        head = (message.id, message.receipt, message.receive_count, int(received * 1000))
        answer = self._store.call(
            ADMIT,
            *head,
            visibility * 1000,
            message.sent,
            self._store.spans,
            len(named),
            self._store.token(),
            *flat,
        )
        kind, indices, known = answer if len(answer) > 1 else (*answer, (), 0)
        return Admitted(kind.decode(), tuple(indices), known)

    def verdicts(self, messages: Sequence[str]) -> list[Verdict]:
        """How each message stands; who is told to delete or leave has ten seconds to do so."""
        if not messages:
            return []
        answers = self._store.call(VERDICT, 10_000, self._store.token(), *messages)
        return [
            Verdict(mid.decode(), kind.decode(), handle.decode(), receives, sent)
            for mid, kind, handle, receives, sent in answers
        ]

    def forget(self, messages: Sequence[str], sum_field: str = "") -> None:
        """Drop leases, whatever became of them, counting them under *sum_field*."""
        if messages:
            self._store.call(FORGET, self._store.token(), sum_field, *messages)

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

    def oldest(self) -> int | None:
        """When the message held longest was sent or, if SQS did not say, admitted: ms."""
        answer = self._store.call(OLDEST)
        return int(answer) if answer else None

    def complete(self, *, since: float) -> list[str]:
        """Messages whose objects have all been done for *since* seconds, yet nobody settled."""
        done = self._store.call(COMPLETE, self._store.token(), int(since * 1000))
        return [mid.decode() for mid in done]
