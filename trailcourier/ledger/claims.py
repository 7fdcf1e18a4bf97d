"""Claims: which forward works on which object, how far it is, and what became of it.

A claim is a key with a short life that names a token and the task that holds it.  Every write of
a forward carries its token; one that has been overtaken is refused.  ``delivered`` is final.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from trailcourier.dispositions import REASONS
from trailcourier.errors import Fault, Stale
from trailcourier.ledger.quarantine import entry_id
from trailcourier.ledger.store import Script, Store, content_digest
from trailcourier.models import ObjectRef, Outcome

Granted = Literal["go", "alone", "ours", "held", "done", "gone", "parked", "refused"]


class Claim(msgspec.Struct, frozen=True):
    """A forward's hold on one object: pass it back with every write."""

    message: str
    index: int
    token: str
    task_id: str
    oid: bytes
    ref: ObjectRef


class Standing(msgspec.Struct, frozen=True):
    """What earlier tries of an object left behind.

    *progress* is, per sink, the ordinal of the next input record, and holds for *etag* only;
    *rejected* is, per sink, the records it refused; *counted* says that the sums know them;
    *contents* are digests already delivered.
    """

    etag: str = ""
    progress: Mapping[str, int] = {}
    rejected: Mapping[str, tuple[int, ...]] = {}
    counted: bool = False
    contents: bytes = b""

    def delivered(self, etag: str) -> bool:
        """Whether the content with this etag was delivered before."""
        digest = content_digest(etag)
        held = (self.contents[at : at + 4] for at in range(0, len(self.contents), 4))
        return digest in held


class Answer(msgspec.Struct, frozen=True):
    """What the ledger says to a forward that wants to start; *outcome* where it is decided."""

    kind: Granted
    claim: Claim | None = None
    standing: Standing = Standing()
    outcome: str = ""


class Written(msgspec.Struct, frozen=True):
    """What a forward's outcome came to; *complete* when its message has no open object left."""

    outcome: Outcome
    complete: bool
    opened: str = ""


CLAIM = Script("""
local mid, i, gen, token, task, alone = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5],
  ARGV[6] == '1'
local life, spans, limit, refused_at, pause = tonumber(ARGV[7]), tonumber(ARGV[8]),
  tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local key, member = S .. 'm:' .. mid, mid .. '/' .. i
local f = redis.call('HMGET', key, i .. ':r', i .. ':id', i .. ':g', i .. ':o', i .. ':e',
  i .. ':b', i .. ':a')
if not f[1] then return {'gone'} end
if f[4] then return {'done', f[4]} end
if gen < tonumber(f[3]) then return {'held'} end
local oid, holder = f[2], redis.call('GET', S .. 'c:' .. f[2])
if holder then
  if string.sub(holder, string.find(holder, '|', 1, true) + 1) == task then return {'ours'} end
  redis.call('HSET', key, i .. ':k', 'waiting')
  return {'held'}
end
local found = contents(oid, spans)
if holds(found, f[5]) then
  redis.call('HSET', key, i .. ':o', 'skipped:already-delivered')
  redis.call('ZREM', S .. 'flight', member)
  count('objects:skipped:already-delivered', 1)
  local left = redis.call('HINCRBY', key, 'o', -1)
  if left == 0 then redis.call('ZADD', S .. 'done', NOW, mid) end
  return {'done', 'skipped:already-delivered', left}
end
local starts = tonumber(redis.call('HGET', S .. 'o:' .. oid, 's') or '0')
if starts >= refused_at then
  redis.call('SET', S .. 'c:' .. oid, token .. '|' .. task, 'PX', life)
  return {'refused', f[1], oid}
end
if starts >= limit and not alone then return {'alone'} end
local names = {'queue:' .. ARGV[12], 'bucket:' .. ARGV[12] .. ':' .. f[6]}
for a = 13, #ARGV do names[#names + 1] = 'sink:' .. ARGV[a] end
for _, name in ipairs(names) do
  if is_open(name) and not probes(name, pause) then
    redis.call('HSET', key, i .. ':p', name, i .. ':pt', NOW)
    redis.call('ZREM', S .. 'flight', member)
    redis.call('ZADD', S .. 'parked', NOW + pause, member)
    return {'parked', name}
  end
end
redis.call('SET', S .. 'c:' .. oid, token .. '|' .. task, 'PX', life)
redis.call('HSET', key, i .. ':k', token)
redis.call('HINCRBY', S .. 'o:' .. oid, 's', 1)
redis.call('PEXPIRE', S .. 'o:' .. oid, 1296000000)
if tonumber(f[7]) > tonumber(redis.call('GET', G .. 'high') or '0') then
  redis.call('SET', G .. 'high', f[7])
end
return {'go', f[1], oid, found, redis.call('HGETALL', S .. 'o:' .. oid)}
""")

FENCE = """
local function fenced(mid, i, oid, token, task)
  local holder = redis.call('GET', S .. 'c:' .. oid)
  if holder then return holder == token .. '|' .. task end
  local last = redis.call('HGET', S .. 'm:' .. mid, i .. ':k')
  return last == token or not last
end
"""

RENEW = Script(
    FENCE
    + """
local answers = {}
for a = 2, #ARGV, 5 do
  local ok = fenced(ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4])
  if ok then
    redis.call('SET', S .. 'c:' .. ARGV[a + 2], ARGV[a + 3] .. '|' .. ARGV[a + 4], 'PX', ARGV[1])
  end
  answers[#answers + 1] = ok and 1 or 0
end
return answers
"""
)

PROGRESS = Script(
    FENCE
    + """
local mid, i, oid, token, task = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if not fenced(mid, i, oid, token, task) then return 0 end
local state = S .. 'o:' .. oid
redis.call('HSET', state, 'e', ARGV[7], 's', 0)
for a = 8, #ARGV, 2 do redis.call('HSET', state, ARGV[a], ARGV[a + 1]) end
redis.call('SET', S .. 'c:' .. oid, token .. '|' .. task, 'PX', ARGV[6])
if redis.call('EXISTS', S .. 'm:' .. mid) == 1 then
  redis.call('HDEL', S .. 'm:' .. mid, i .. ':x')
end
return 1
"""
)

OUTCOME = Script(
    FENCE
    + """
local mid, i, oid, token, task = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local facts, sums = cjson.decode(ARGV[6]), cjson.decode(ARGV[7])
local spans, digests, etag = tonumber(ARGV[8]), ARGV[9], ARGV[10]
if not fenced(mid, i, oid, token, task) then return {'stale'} end
local key, state, member = S .. 'm:' .. mid, S .. 'o:' .. oid, mid .. '/' .. i
local leased = redis.call('HEXISTS', key, i .. ':r') == 1
redis.call('DEL', S .. 'c:' .. oid)
for _, name in ipairs(facts.ok) do succeed(name) end
local status, reason, opened = facts.status, facts.reason, ''
if status == 'pending' then
  redis.call('HINCRBY', state, 's', -1)
  return {'pending', reason, -1, ''}
end
if etag ~= '' then redis.call('HSET', state, 'e', etag) end
for name, value in pairs(facts.state) do redis.call('HSET', state, name, value) end
if status == 'parked' or (status == 'refused' and facts.tries > 0) then
  local was = redis.call('HMGET', state, 'tr', 't', 'ft')
  local tries = was[1] == reason and tonumber(was[2]) + 1 or 1
  local first = was[1] == reason and tonumber(was[3]) or NOW
  redis.call('HSET', state, 'tr', reason, 't', tries, 'ft', first, 's', 0)
  redis.call('PEXPIRE', state, 1296000000)
  local beside = true
  if facts.beside then
    beside = tonumber(redis.call('HGET', G .. 'b:' .. facts.breaker, 'ok') or '0') > first
  end
  if facts.tries > 0 and tries >= facts.tries and beside then
    status = 'refused'
  else
    status = 'parked'
    count('parked:' .. reason, 1)
    if facts.breaker ~= '' and fail(facts.breaker, oid, facts.failures, reason, facts.text) then
      opened = facts.breaker
    end
    if leased then
      local wait = math.min(facts.last, facts.first * 2 ^ math.min(tries, 30)) * facts.jitter
      redis.call('HSET', key, i .. ':p', facts.breaker, i .. ':pt', NOW, i .. ':pr', reason)
      redis.call('ZREM', S .. 'flight', member)
      redis.call('ZADD', S .. 'parked', NOW + math.floor(wait), member)
    end
    return {status, reason, -1, opened}
  end
end
for field, by in pairs(sums) do count(field, by) end
local final = status
if reason ~= '' then final = status .. ':' .. reason end
count('objects:' .. final, 1)
if status == 'delivered' or reason == 'already-delivered' then
  for at = 1, #digests, 4 do mark(oid, string.sub(digests, at, at + 3), spans) end
  redis.call('DEL', state)
  if redis.call('HDEL', S .. 'q', ARGV[11]) > 0 then redis.call('ZREM', S .. 'qt', ARGV[11]) end
  if status == 'delivered' then
    redis.call('HSET', S .. 'sums', 'at:success', NOW)
    redis.call('DEL', S .. 'skips')
  end
else
  redis.call('HSET', state, 's', 0)
  redis.call('HDEL', state, 't', 'tr', 'ft')
  redis.call('PEXPIRE', state, 1296000000)
end
local left = -1
if leased and redis.call('HEXISTS', key, i .. ':o') == 0 then
  redis.call('HSET', key, i .. ':o', final)
  redis.call('ZREM', S .. 'flight', member)
  redis.call('ZREM', S .. 'parked', member)
  left = redis.call('HINCRBY', key, 'o', -1)
  if left == 0 then redis.call('ZADD', S .. 'done', NOW, mid) end
end
return {status, reason, left, opened}
"""
)


class Report(msgspec.Struct, frozen=True):
    """What a forward tells the ledger at its end.

    *sums* are counter increments that count once, with a final outcome; *state* is progress and
    rejected records to keep; *succeeded* names breakers that saw a success; *etag* is the content
    read; *delivered* are the digests to remember.
    """

    outcome: Outcome
    etag: str = ""
    sums: Mapping[str, int] = {}
    state: Mapping[str, str | int] = {}
    succeeded: Sequence[str] = ()
    breaker: str = ""
    delivered: bytes = b""


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
            int(numbers.breaker_probe * 1000), self._store.source, *sinks,
        )  # fmt: skip
        kind: Granted = answer[0].decode()
        if kind == "done":
            left = answer[2] if len(answer) > 2 else -1
            return Answer("done", outcome=answer[1].decode() + (":settle" if left == 0 else ""))
        if kind == "parked":
            return Answer("parked", outcome=answer[1].decode())
        if kind not in ("go", "refused"):
            return Answer(kind)
        ref = msgspec.json.decode(answer[1], type=ObjectRef)
        claim = Claim(message, index, token, task_id, answer[2], ref)
        if kind == "refused":
            return Answer("refused", claim)
        return Answer("go", claim, _standing(answer[3], answer[4]))

    def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Prolong each claim; False for one that was overtaken."""
        if not claims:
            return []
        flat = [part for c in claims for part in (c.message, c.index, c.oid, c.token, c.task_id)]
        answers = self._store.call(RENEW, self._store.numbers.claim * 1000, *flat)
        return [bool(answer) for answer in answers]

    def progress(self, claim: Claim, etag: str, state: Mapping[str, str | int]) -> None:
        """Note how far each sink is; raises Stale where the claim was overtaken."""
        flat = [part for item in state.items() for part in item]
        done = self._store.call(
            PROGRESS, claim.message, claim.index, claim.oid, claim.token, claim.task_id,
            self._store.numbers.claim * 1000, etag, *flat,
        )  # fmt: skip
        if not done:
            raise Stale(f"the claim on {claim.ref} was overtaken")

    def finish(self, claim: Claim, report: Report, *, jitter: float) -> Written:
        """Write an object's outcome; *jitter* in 0..1 scales the wait of a parked one.

        The answer may be another outcome: tries used up turn parked into refused.  Raises Stale
        where the claim was overtaken.
        """
        answer = self._store.call(
            OUTCOME, claim.message, claim.index, claim.oid, claim.token, claim.task_id,
            self._facts(report, jitter), msgspec.json.encode(report.sums), self._store.spans,
            report.delivered, report.etag, entry_id(claim.ref),
        )  # fmt: skip
        if answer[0] == b"stale":
            raise Stale(f"the claim on {claim.ref} was overtaken")
        outcome = Outcome(answer[0].decode(), answer[1].decode(), report.outcome.detail)
        return Written(outcome, answer[2] == 0, answer[3].decode())

    def _facts(self, report: Report, jitter: float) -> bytes:
        numbers, outcome = self._store.numbers, report.outcome
        reason = REASONS.get(outcome.reason)
        return msgspec.json.encode(
            {
                "status": outcome.status,
                "reason": outcome.reason,
                "text": outcome.detail[:500],
                "ok": report.succeeded,
                "state": report.state,
                "breaker": report.breaker,
                "tries": reason.tries if reason else 0,
                "beside": bool(reason and reason.beside_success),
                "failures": numbers.breaker_failures,
                "first": numbers.park_first * 1000,
                "last": numbers.park_last * 1000,
                "jitter": jitter,
            }
        )


def _standing(contents: bytes, flat: Sequence[bytes]) -> Standing:
    state = dict(zip((name.decode() for name in flat[::2]), flat[1::2], strict=True))
    return Standing(
        etag=state.get("e", b"").decode(),
        progress={name[2:]: int(v) for name, v in state.items() if name.startswith("p:")},
        rejected={
            name[2:]: tuple(msgspec.json.decode(v)) for name, v in state.items() if name[:2] == "j:"
        },
        counted="n" in state,
        contents=contents,
    )


def breaker_name(source: str, fault: Fault, bucket: str) -> str:
    """The breaker a fault belongs to, as the ledger names it; empty for none."""
    match REASONS[fault.reason].breaker:
        case "queue":
            return f"queue:{source}"
        case "bucket":
            return f"bucket:{source}:{bucket}"
        case "sink":
            return f"sink:{fault.where}"
        case _:
            return ""
