"""Admission: what is to be done with a message that was just received."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from trailcourier.ledger.entries import ENTRIES, encoded_ref, room
from trailcourier.ledger.quarantine import Entry, encoded, entry_id
from trailcourier.ledger.returned import RETURNED
from trailcourier.ledger.scopes import bucket_scope
from trailcourier.ledger.store import Script, Store, announced_content, object_id
from trailcourier.models import Message, ObjectRef


class Named(msgspec.Struct, frozen=True):
    """An object as a message names it; *verdict* is its outcome where no read is needed.

    *body* is the beginning of the message, for the entry of one that is refused so; *vouched* says
    that CloudTrail itself names it, although its key has no known shape.
    """

    ref: ObjectRef
    verdict: str = ""
    body: str = ""
    vouched: bool = False


class Admitted(msgspec.Struct, frozen=True):
    """What to do with a message just received.

    "work": it is leased, and *indices* are the objects that need work; "settle": none does;
    "held": it was leased before, and "finished" that one needs nothing any more; "quarantined": it
    was refused before; "full": *bucket*, with an account, has as many parked objects as are held.
    *known* counts objects delivered before, *again* are those that are in
    quarantine already and stay there, *judged* the others of which the verdict is the outcome.
    """

    kind: Literal["work", "settle", "held", "finished", "quarantined", "full"]
    indices: tuple[int, ...] = ()
    known: int = 0
    again: tuple[int, ...] = ()
    judged: tuple[int, ...] = ()
    bucket: str = ""


ADMIT = Script(
    ENTRIES
    + RETURNED
    + """
-- What was answered when this lease was made, for a client whose answer was lost.
local FIRST, EACH = 15, 8
local function admission(mid, n)
  local open, known, again, judged = {}, 0, {}, {}
  for i = 0, n - 1 do
    local outcome = redis.call('HGET', S .. 'm:' .. mid, i .. ':o')
    if not outcome then open[#open + 1] = i
    elseif outcome == 'skipped:already-delivered' then known = known + 1
    elseif outcome == 'refused:quarantined' then again[#again + 1] = i
    elseif outcome == ARGV[FIRST + i * EACH + 4] then judged[#judged + 1] = i end
  end
  return {#open == 0 and 'settle' or 'work', '', open, known, again, judged}
end

local token, mid, handle, c, w, visible, sent = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]),
  tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local sender, topic, spans, n, beside, most, parked = ARGV[8], ARGV[9], tonumber(ARGV[10]),
  tonumber(ARGV[11]), tonumber(ARGV[12]), cjson.decode(ARGV[13]), tonumber(ARGV[14])
local key, VOUCHED = S .. 'm:' .. mid, 3600000
local before = remembered(token)
if before then return before end
local held = redis.call('HMGET', key, 'c', 'w', 'o', 'ad')
if held[1] and held[4] == token then return admission(mid, n) end
local queued = handle ~= ''
if queued then count('messages:received', 1) end
if held[1] then
  local older = c < tonumber(held[1]) or (c == tonumber(held[1]) and w < tonumber(held[2]))
  if not older then
    redis.call('HSET', key, 'h', handle, 'c', c, 'w', w, 'r', NOW, 'u', NOW + visible)
    redis.call('ZADD', S .. 'leases', NOW + visible, mid)
  end
  count('messages:held-already', 1)
  return remember(token, {held[3] == '0' and 'finished' or 'held', ''})
end

local was = queued and returned(mid, c, sent)
-- What CloudTrail itself has named within the hour is a log file, whatever others know of its key.
local function vouched(oid) return ahead(redis.call('GET', S .. 'vouched:' .. oid), VOUCHED) end
-- An object in quarantine is read anew when a new message names it: not by the one it came with.
local function stays(x, oid)
  if x.reason == 'unknown-key' and vouched(oid) then return false end
  return was == 'refused' or (queued and was ~= 'anew' and names(x, mid))
end
-- A notice that names no content may be of a newer one than was delivered.  Within the hour it is
-- taken for an announcement of the same; later only if it was here before.
local function delivered(oid, digest, x)
  local found, at = contents(oid, spans)
  if digest ~= '' then return holds(found, digest) end
  return found ~= '' and queued and not x
    and (was == 'refused' or was == 'unfinished' or recent(at))
end
local out, again, enters, news = {}, 0, {}, false
for i = 0, n - 1 do
  local at = FIRST + i * EACH
  local oid, digest, verdict, entry = ARGV[at], ARGV[at + 1], ARGV[at + 4], ARGV[at + 5]
  local x = noted(entry)
  if ARGV[at + 7] == '1' then
    redis.call('SET', S .. 'vouched:' .. oid, NOW + VOUCHED, 'PX', VOUCHED)
  end
  if x and stays(x, oid) then
    met(entry, x)
    out[i] = 'refused:quarantined'
  elseif delivered(oid, digest, x) then
    if x then leave(entry) end
    out[i] = 'skipped:already-delivered'
  elseif verdict ~= '' and not (verdict == 'refused:unknown-key' and vouched(oid)) then
    local refused = string.sub(verdict, 1, 7) == 'refused'
    news, enters[i] = news or refused, refused
    out[i] = refused and x and 'refused:quarantined' or verdict
  else
    news = true
  end
  if out[i] == 'refused:quarantined' then again = again + 1 end
end
if again > 0 and not news then
  went_back(mid, c, sent, 1)
  count('messages:refused-before', 1)
  return remember(token, {'quarantined', ''})
end
for i = 0, queued and n - 1 or -1 do
  local bucket = ARGV[FIRST + i * EACH + 3]
  if not out[i] and tonumber(redis.call('HGET', S .. 'buckets', bucket) or '0') >= parked then
    count('messages:full', 1)
    return remember(token, {'full', bucket})
  end
end
redis.call('HSET', key, 'h', handle, 'c', c, 'w', w, 'r', NOW, 'u', NOW + visible,
  'n', n, 'sent', sent, 'ad', token, 'from', sender, 'topic', topic)
if queued then redis.call('ZADD', S .. 'leases', NOW + visible, mid) end
for i = 0, n - 1 do
  local at = FIRST + i * EACH
  redis.call('HSET', key, i .. ':id', ARGV[at], i .. ':e', ARGV[at + 1], i .. ':r', ARGV[at + 2],
    i .. ':b', ARGV[at + 3], i .. ':g', 1, i .. ':a', NOW)
  if out[i] then
    redis.call('HSET', key, i .. ':o', out[i])
    count('objects:' .. out[i], 1)
  end
  if enters[i] then
    enter(ARGV[at + 5], ARGV[at + 6], {kind = 'object', ref = ARGV[at + 2], message = mid,
      reason = string.match(ARGV[at + 4], ':(.*)$'), sender = sender, topic = topic}, most)
  end
end
redis.call('DEL', S .. 'failed:' .. mid)
count('objects:named', n + beside)
if beside > 0 then count('objects:skipped:non-create', beside) end
local answer = admission(mid, n)
redis.call('HSET', key, 'o', #answer[3])
for _, i in ipairs(answer[3]) do redis.call('ZADD', S .. 'flight', NOW, mid .. '/' .. i) end
if #answer[3] == 0 then redis.call('ZADD', S .. 'done', NOW, mid) end
return answer
"""
)


def admitted(
    store: Store, message: Message, named: Sequence[Named], *, received: float, visibility: int,
    beside: int, topic: str,
) -> Admitted:  # fmt: skip
    """Ask the ledger what to do with *message*; see ``Leases.admit``."""
    answer = store.call(
        ADMIT, store.token(), message.id, message.receipt, message.receive_count,
        int(received * 1000), visibility * 1000, message.sent, message.sender, topic,
        store.spans, len(named), beside, room(store), store.numbers.parked,
        *_flat(message, named),
    )  # fmt: skip
    kind, bucket, *more = answer
    if not more:
        return Admitted(kind.decode(), bucket=bucket.decode())
    indices, known, again, judged = more
    return Admitted(kind.decode(), tuple(indices), known, tuple(again), tuple(judged))


def _flat(message: Message, named: Sequence[Named]) -> Iterator[str | bytes]:
    for each in named:
        ref = each.ref
        yield object_id(ref)
        yield announced_content(ref)
        yield encoded_ref(ref)
        yield bucket_scope(ref)
        yield each.verdict
        yield entry_id(ref)
        yield encoded(_entry(message, each)) if each.verdict.startswith("refused") else b""
        yield "1" if each.vouched else ""


def _entry(message: Message, each: Named) -> Entry:
    reason = each.verdict.partition(":")[2]
    return Entry(
        entry_id(each.ref), "object", reason, str(each.ref), each.ref, message.id, body=each.body
    )
