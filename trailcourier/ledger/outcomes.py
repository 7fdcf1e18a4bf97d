"""Outcomes: what became of an object, written once, with everything that follows from it.

One script writes the outcome, the sums, the marks and the breakers, so that none of them can be
there without the others.  ``delivered`` is final.
"""

from collections.abc import Mapping, Sequence

import msgspec

from trailcourier.dispositions import REASONS
from trailcourier.errors import Stale
from trailcourier.ledger.claims import CONTENT, FENCE, Claim
from trailcourier.ledger.entries import ENTRIES, encoded_ref, room
from trailcourier.ledger.quarantine import Entry, encoded, entry_id
from trailcourier.ledger.scopes import Failing
from trailcourier.ledger.store import Script, Store
from trailcourier.ledger.workers import LIVE_HOSTS
from trailcourier.models import Outcome


class Report(msgspec.Struct, frozen=True):
    """What a forward tells the ledger at its end.

    *sums* are counter increments that count once, with a final outcome; *state* is progress and
    rejected records to keep; *succeeded* names breakers that saw a success, and *ago* how many
    milliseconds ago, where that was not just now; *breakers* are those that count this failure;
    *etag* is the content read; *delivered* are the digests to remember.
    """

    outcome: Outcome
    etag: str = ""
    sums: Mapping[str, int] = {}
    state: Mapping[str, str | int] = {}
    succeeded: Sequence[str] = ()
    ago: Mapping[str, int] = {}
    breakers: Sequence[Failing] = ()
    delivered: bytes = b""


class Written(msgspec.Struct, frozen=True):
    """What a forward's outcome came to.

    *settle* asks for a settle: its message has no open object left, and nobody else has asked for
    those finished just now.  *opened* is the breaker that this failure opened, if one did; *closed*
    are those that it was the first success of.  *unfit* is the breaker of this host alone that is
    open: other hosts should take what this one would.  *again*: it was refused, as it had been
    before.
    """

    outcome: Outcome
    settle: bool
    opened: str = ""
    closed: Sequence[str] = ()
    unfit: str = ""
    again: bool = False


OUTCOME = Script(
    FENCE
    + CONTENT
    + ENTRIES
    + LIVE_HOSTS
    + """
local mid, i, oid, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local facts, sums = cjson.decode(ARGV[6]), cjson.decode(ARGV[7])
local spans, digests, etag = tonumber(ARGV[8]), ARGV[9], ARGV[10]
local claim = claim_on(oid)
if claim and claim.ended and claim.token == token then return cmsgpack.unpack(claim.rest) end
if not fenced(mid, i, oid, token, ARGV[12], spans) then return {'stale'} end
moves('forward')
local key, state, member = S .. 'm:' .. mid, S .. 'o:' .. oid, mid .. '/' .. i
local leased = redis.call('HEXISTS', key, i .. ':r') == 1
local probed = leased and redis.call('HGET', key, i .. ':pb')
if probed then
  redis.call('HDEL', key, i .. ':pb')
  if #facts.ok > 0 and string.sub(probed, 1, 4) == 'kms:' then table.insert(facts.ok, probed) end
end
local closed = succeed(facts.ok, facts.host, facts.ago)
local status, reason, opened, unfit = facts.status, facts.reason, '', ''
if status == 'pending' then
  redis.call('HINCRBY', state, 's', -1)
end
if etag ~= '' then of_content(state, etag) end
for name, value in pairs(facts.state) do redis.call('HSET', state, name, value) end
if status == 'pending' then
  return end_claim(oid, token, {'pending', reason, 0, '', closed, ''})
end
if status == 'parked' or (status == 'refused' and facts.tries > 0) then
  local was = redis.call('HMGET', state, 'tr', 't', 'ft')
  local tries = was[1] == reason and tonumber(was[2]) + 1 or 1
  local first = was[1] == reason and tonumber(was[3]) or NOW
  redis.call('HSET', state, 'tr', reason, 't', tries, 'ft', first, 's', 0)
  redis.call('PEXPIRE', state, 1296000000)
  local narrowest = facts.breakers[1] and facts.breakers[1].name
  local beside = true
  if facts.beside then
    beside = tonumber(redis.call('HGET', G .. 'ok', narrowest) or '0') > first
  end
  if facts.tries > 0 and tries >= facts.tries and beside then
    status = 'refused'
  else
    status = 'parked'
    count('parked:' .. reason, 1)
    local behind = narrowest or ''
    local others = live_hosts(facts.alive) > 1
    for _, each in ipairs(facts.breakers) do
      if each.here and facts.host ~= '' and others then
        local name, own = fail_here(each.name, facts.host, oid, facts.failures, reason, facts.text)
        if name ~= '' then opened = name end
        if is_open(own) then unfit = own end
        behind = is_open(each.name) and each.name or ''  -- others need not wait for this host
      elseif fail(each.name, oid, facts.failures, reason, facts.text, each.group) then
        opened = each.name
      end
    end
    if leased then
      local wait = math.min(facts.last, facts.first * 2 ^ math.min(tries - 1, 30)) * facts.jitter
      redis.call('HSET', key, i .. ':pr', reason, i .. ':pd', facts.text)
      park(mid, i, behind, math.floor(wait), facts.parked)
    end
    return end_claim(oid, token, {status, reason, 0, opened, closed, unfit})
  end
end
for field, by in pairs(sums) do count(field, by) end
local final = status
if reason ~= '' then final = status .. ':' .. reason end
local again = status == 'refused' and noted(ARGV[11]) and 1 or 0
count('objects:' .. (again == 1 and 'refused:quarantined' or final), 1)
if not leased or redis.call('HEXISTS', key, i .. ':o') == 1 then
  count('objects:named', 1)  -- by a message that was done with: it has an outcome of its own
end
if status == 'refused' and ARGV[13] ~= '' then
  enter(ARGV[11], ARGV[13], {kind = 'object', reason = reason, ref = ARGV[14], message = mid},
    cjson.decode(ARGV[15]))
end
if status == 'delivered' or reason == 'already-delivered' then
  for at = 1, #digests, 4 do mark(oid, string.sub(digests, at, at + 3), spans) end
  redis.call('DEL', state)
  disprove(oid, digests)
  if status == 'delivered' then
    redis.call('HSET', S .. 'sums', 'at:success', NOW)
    redis.call('DEL', S .. 'skips')
  end
else
  -- one that kills workers runs alone from the first try that a new message has it given
  redis.call('HSET', state, 's', reason == 'kills-worker' and facts.alone or 0)
  redis.call('HDEL', state, 't', 'tr', 'ft')
  redis.call('PEXPIRE', state, 1296000000)
end
local settle = 0
if leased and redis.call('HEXISTS', key, i .. ':o') == 0 then
  redis.call('HSET', key, i .. ':o', final)
  redis.call('ZREM', S .. 'flight', member)
  unpark(mid, i)
  if redis.call('HINCRBY', key, 'o', -1) == 0 then settle = finished(mid, token) end
end
return end_claim(oid, token, {status, reason, settle, opened, closed, '', again})
"""
)


class Outcomes:
    """The outcomes of one source's objects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def finish(
        self, claim: Claim, report: Report, *, jitter: float, host: str = "",
        entry: Entry | None = None,
    ) -> Written:  # fmt: skip
        """Write an object's outcome; *jitter* in 0..1 scales the wait of a parked one.

        *host* is the name of the host that worked on it, as heartbeats tell it; *entry* is its
        entry in quarantine, should it be refused.

        The answer may be another outcome: tries used up turn parked into refused.  Raises Stale
        where the claim was overtaken.
        """
        answer = self._store.call(
            OUTCOME, claim.message, claim.index, claim.oid, claim.token, claim.task_id,
            self._facts(report, jitter, host), msgspec.json.encode(report.sums), self._store.spans,
            report.delivered, report.etag, entry_id(claim.ref), claim.known,
            encoded(entry) if entry else b"", encoded_ref(claim.ref), room(self._store),
        )  # fmt: skip
        if answer[0] == b"stale":
            raise Stale(f"the claim on {claim.ref} was overtaken")
        outcome = Outcome(answer[0].decode(), answer[1].decode(), report.outcome.detail)
        closed = [name.decode() for name in answer[4]]
        opened, unfit, again = answer[3].decode(), answer[5].decode(), answer[6:] == [1]
        return Written(outcome, bool(answer[2]), opened, closed, unfit, again)

    def _facts(self, report: Report, jitter: float, host: str) -> bytes:
        numbers, outcome = self._store.numbers, report.outcome
        reason = REASONS.get(outcome.reason)
        return msgspec.json.encode(
            {
                "status": outcome.status,
                "reason": outcome.reason,
                "text": outcome.detail[:500],
                "ok": report.succeeded,
                "ago": report.ago,
                "state": report.state,
                "breakers": report.breakers,
                "host": host,
                "alive": numbers.heartbeat * 1000,
                "parked": numbers.parked,
                "tries": reason.tries if reason else 0,
                "alone": numbers.starts_alone,
                "beside": bool(reason and reason.beside_success),
                "failures": numbers.breaker_failures,
                "first": numbers.park_first * 1000,
                "last": numbers.park_last * 1000,
                "jitter": jitter,
            }
        )
