"""Claims: which forward works on which object, and how far it is.

A claim names its deadline, a token and the task that holds it.  Every write of a forward carries
its token; one that has been overtaken is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from trailcourier.errors import Stale
from trailcourier.ledger.store import Script, Store, content_digest
from trailcourier.models import ObjectRef

Granted = Literal["go", "alone", "ours", "held", "done", "gone", "parked", "refused"]


class Claim(msgspec.Struct, frozen=True):
    """A forward's hold on one object: pass it back with every write.

    *known* are the object's marks when it was claimed: others since then are somebody else's.
    """

    message: str
    index: int
    token: str
    task_id: str
    oid: bytes
    ref: ObjectRef
    known: bytes = b""


class Standing(msgspec.Struct, frozen=True):
    """What earlier tries of an object left behind.

    *progress* is, per sink, the ordinal of the next input record, and holds for *etag* only;
    *rejected* is, per sink, the records it refused; *counted* says that the sums know them;
    *contents* are digests already delivered; *vouched* are the sinks that accepted other records
    since one of them rejected all it was offered of this object.
    """

    etag: str = ""
    progress: Mapping[str, int] = {}
    rejected: Mapping[str, tuple[int, ...]] = {}
    counted: bool = False
    contents: bytes = b""
    vouched: tuple[str, ...] = ()

    def delivered(self, etag: str) -> bool:
        """Whether the content with this etag was delivered before."""
        digest = content_digest(etag)
        held = (self.contents[at : at + 4] for at in range(0, len(self.contents), 4))
        return digest in held


class Answer(msgspec.Struct, frozen=True):
    """What the ledger says to a forward that wants to start; *outcome* where it is decided.

    *settle* as in Written: this was its message's last open object.
    """

    kind: Granted
    claim: Claim | None = None
    standing: Standing = Standing()
    outcome: str = ""
    settle: bool = False


CLAIM = Script("""
-- The sinks that accepted other records since one of them rejected all of this object, and have
-- failed on no host after that.
local function accepted_since(name, at)
  if tonumber(redis.call('HGET', G .. 'ok', name) or '0') <= at then return false end
  for _, failing in ipairs(redis.call('SMEMBERS', G .. 'failing')) do
    if string.match(failing, '^[^@]*') == name then return false end
  end
  return true
end
local function vouched(oid)
  local names, f = {}, redis.call('HMGET', S .. 'o:' .. oid, 'tr', 'ft')
  for a = 14, f[1] == 'sink-rejects-all' and #ARGV or 0 do
    local at = tonumber(f[2])
    if accepted_since('sink:' .. ARGV[a], at) then names[#names + 1] = ARGV[a] end
  end
  return names
end
local mid, i, gen, token, task, alone = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5],
  ARGV[6] == '1'
local life, spans, limit, refused_at, pause = tonumber(ARGV[7]), tonumber(ARGV[8]),
  tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local source, parked_most = ARGV[12], tonumber(ARGV[13])
local key, member = S .. 'm:' .. mid, mid .. '/' .. i
local f = redis.call('HMGET', key, i .. ':r', i .. ':id', i .. ':g', i .. ':o', i .. ':e',
  i .. ':b', i .. ':a', i .. ':pb', 'h')
if not f[1] then return {'gone'} end
if f[4] then
  local last = redis.call('HGET', key, 'o') == '0'
  return {'done', f[4], last and finished(mid, token) or 0}
end
if gen < tonumber(f[3]) then return {'held'} end
local oid, holder = f[2], held_claim(f[2])
if holder and holder.token == token then  -- asked again, as the answer was lost
  if redis.call('HGET', key, i .. ':k') ~= token then return {'refused', f[1], oid} end
  return {'go', f[1], oid, contents(oid, spans), redis.call('HGETALL', S .. 'o:' .. oid),
    vouched(oid)}
end
if holder then
  if holder.rest == task then return {'ours'} end
  redis.call('HSET', key, i .. ':k', 'waiting')
  return {'held'}
end
local found, at = contents(oid, spans)
-- without a content announced, the GET of a retry (it has no receipt) or after an hour compares it
if holds(found, f[5]) and (f[5] ~= '' or (f[9] ~= '' and recent(at))) then
  redis.call('HSET', key, i .. ':o', 'skipped:already-delivered')
  redis.call('ZREM', S .. 'flight', member)
  count('objects:skipped:already-delivered', 1)
  local settle = redis.call('HINCRBY', key, 'o', -1) == 0 and finished(mid, token) or 0
  return {'done', 'skipped:already-delivered', settle}
end
local starts = tonumber(redis.call('HGET', S .. 'o:' .. oid, 's') or '0')
if starts >= refused_at then
  hold_claim(oid, token, task, life)
  return {'refused', f[1], oid}
end
if starts >= limit and not alone then return {'alone'} end
local bucket = 'bucket:' .. source .. ':' .. string.match(f[6], '^[^/]*')
local names = {'credentials:' .. source, bucket, 'bucket:' .. source .. ':' .. f[6]}
for a = 14, #ARGV do names[#names + 1] = 'sink:' .. ARGV[a] end
local is = redis.call('SMISMEMBER', G .. 'open', unpack(names))
-- a probe passes all open breakers: two would else each wait for the other's probe
local closed_ways = {}
for at, name in ipairs(f[8] and {} or names) do
  if is[at] == 1 then closed_ways[#closed_ways + 1] = name end
end
for _, name in ipairs(closed_ways) do  -- before one is taken: it would be lost where another stops
  if not probe_is_due(name, pause, token) then
    park(mid, i, name, pause, parked_most)
    return {'parked', name}
  end
end
for _, name in ipairs(closed_ways) do probes(name, pause, token) end
hold_claim(oid, token, task, life)
redis.call('HSET', key, i .. ':k', token)
redis.call('HINCRBY', S .. 'o:' .. oid, 's', 1)
redis.call('PEXPIRE', S .. 'o:' .. oid, 1296000000)
local high = tonumber(redis.call('GET', G .. 'high') or '0')
if tonumber(f[7]) > high or high > NOW then  -- later than now: the broker's clock was put back
  redis.call('SET', G .. 'high', f[7])
end
return {'go', f[1], oid, found, redis.call('HGETALL', S .. 'o:' .. oid), vouched(oid)}
""")

FENCE = """
-- Whether a forward may still write.  A missing claim does not prove a takeover: it ran out long
-- ago, its lease is gone, or the ledger was lost.  *known* are the object's marks when it was
-- claimed; if they changed since, another task delivered the object.
local function fenced(mid, i, oid, token, known, spans)
  local holder = claim_on(oid)
  if holder then return holder.token == token and not holder.ended end
  local last = redis.call('HGET', S .. 'm:' .. mid, i .. ':k')
  if last and last ~= token then return false end
  local now = contents(oid, spans)
  return now == '' or now == known
end
"""

RENEW = Script(
    FENCE
    + """
local answers, life, spans = {}, tonumber(ARGV[1]), tonumber(ARGV[2])
for a = 3, #ARGV, 6 do
  local mid, i, oid, token, task = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
  local ours = fenced(mid, i, oid, token, ARGV[a + 5], spans)
  if ours then
    moves('forward')
    hold_claim(oid, token, task, life)
  end
  answers[#answers + 1] = ours and 1 or 0
end
return answers
"""
)

CONTENT = """
-- What is noted from now on is of the content with this etag, and what is there of another ends.
local function of_content(state, etag)
  if redis.call('HGET', state, 'e') == etag then return end
  for _, name in ipairs(redis.call('HKEYS', state)) do
    if name == 'n' or string.find(name, '^[pj]:') then redis.call('HDEL', state, name) end
  end
  redis.call('HSET', state, 'e', etag)
end
"""

PROGRESS = Script(
    FENCE
    + CONTENT
    + """
local mid, i, oid, token, task = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if not fenced(mid, i, oid, token, ARGV[7], tonumber(ARGV[8])) then return 0 end
local state = S .. 'o:' .. oid
of_content(state, ARGV[9])
redis.call('HSET', state, 's', 0)
for a = 10, #ARGV, 2 do redis.call('HSET', state, ARGV[a], ARGV[a + 1]) end
hold_claim(oid, token, task, tonumber(ARGV[6]))
if redis.call('EXISTS', S .. 'm:' .. mid) == 1 then
  redis.call('HDEL', S .. 'm:' .. mid, i .. ':x')
end
return 1
"""
)


class Claims:
    """The claims of one source's objects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(
        self, message: str, index: int, generation: int, *, token: str, task_id: str,
        sinks: Sequence[str], alone: bool = False,
    ) -> Answer:  # fmt: skip
        """Ask to work on one object of a lease; *alone* says that nothing runs beside it."""
        numbers = self._store.numbers
        answer = self._store.call(
            CLAIM, message, index, generation, token, task_id, int(alone),
            numbers.claim * 1000, self._store.spans, numbers.starts_alone, numbers.starts_refused,
            int(numbers.breaker_probe * 1000), self._store.source, numbers.parked, *sinks,
        )  # fmt: skip
        kind: Granted = answer[0].decode()
        if kind == "done":
            return Answer("done", outcome=answer[1].decode(), settle=answer[2:] == [1])
        if kind == "parked":
            return Answer("parked", outcome=answer[1].decode())
        if kind not in ("go", "refused"):
            return Answer(kind)
        ref = msgspec.json.decode(answer[1], type=ObjectRef)
        known = answer[3] if kind == "go" else b""
        claim = Claim(message, index, token, task_id, answer[2], ref, known)
        if kind == "refused":
            return Answer("refused", claim)
        return Answer("go", claim, _standing(answer[3], answer[4], answer[5]))

    def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Prolong each claim; False for one that was overtaken."""
        if not claims:
            return []
        flat = [
            part
            for c in claims
            for part in (c.message, c.index, c.oid, c.token, c.task_id, c.known)
        ]
        life = self._store.numbers.claim * 1000
        answers = self._store.call(RENEW, life, self._store.spans, *flat)
        return [bool(answer) for answer in answers]

    def progress(self, claim: Claim, etag: str, state: Mapping[str, str | int]) -> None:
        """Note how far each sink is; raises Stale where the claim was overtaken."""
        flat = [part for item in state.items() for part in item]
        done = self._store.call(
            PROGRESS, claim.message, claim.index, claim.oid, claim.token, claim.task_id,
            self._store.numbers.claim * 1000, claim.known, self._store.spans, etag, *flat,
        )  # fmt: skip
        if not done:
            raise Stale(f"the claim on {claim.ref} was overtaken")


def _standing(contents: bytes, flat: Sequence[bytes], vouched: Sequence[bytes]) -> Standing:
    state = dict(zip((name.decode() for name in flat[::2]), flat[1::2], strict=True))
    return Standing(
        etag=state.get("e", b"").decode(),
        progress={name[2:]: int(v) for name, v in state.items() if name.startswith("p:")},
        rejected={
            name[2:]: tuple(msgspec.json.decode(v)) for name, v in state.items() if name[:2] == "j:"
        },
        counted="n" in state,
        contents=contents,
        vouched=tuple(name.decode() for name in vouched),
    )
