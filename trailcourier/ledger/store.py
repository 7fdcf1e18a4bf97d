"""The ledger's footing: one Redis, one source's keys, and the Lua every script begins with.

Keys, all under ``<namespace>:1:`` (1 is the format; another format is another ledger):

====================  ====================================================================
``clock``             the ledger's time in milliseconds; only tests set it
``offset``            milliseconds added to Redis TIME; only tests set it
``high``              dispatch time of the latest forward ever claimed: what lies 30 s below is lost
``workers``           hash: the processes of the fleet, when each was last heard of; see workers.py
``seen``              hash: when a process of each role was last heard of, and any forward moved
``b:<breaker>``       hash: open, probe, prober, ok, closed, reason, text; ``:f`` zset of failures
``open``              set: the breakers that are open
``s:<source>:m:<id>`` hash: one lease, one message; see leases.py
``s:<source>:o:<oid>`` hash: starts, tries and progress of one object not yet done
``s:<source>:c:<oid>`` string: ``until|token|task id`` of a claim; ``0|token|answer`` once it has
                      ended, so that the same question gets the same answer
``s:<source>:d:...``  hashes: marks of delivered objects; see marks in PRELUDE
``s:<source>:flight`` zset: ``<message>/<index>`` by dispatch time
``s:<source>:parked`` zset: the same by due time
``s:<source>:leases`` zset: messages by the end of their visibility
``s:<source>:done``   zset: messages whose objects are all done, not yet settled
``s:<source>:settling`` string: ``until|token``, a settle was asked for and has not begun
``s:<source>:once:<token>`` string: the answer of a script that ran with this token
``s:<source>:q``      hash: quarantine entries; ``:qt`` zset by time
``s:<source>:sums``   hash: counters
``s:<source>:traces`` hash: when each step of the line last did its work; see traces.py
``s:<source>:poll:n`` string: ``until|token``, the poll lease
====================  ====================================================================

Times are Redis TIME in milliseconds, so hosts need not agree.  No decision rests on the life of a
key: a deadline is a value that scripts compare with NOW, and a key's own life only removes what
nobody needs any more.  A client whose answer was lost asks again, so every script may run twice
with the same token, answers the same, and counts once.
"""

import hashlib
from typing import Any

import redis

from trailcourier.client import Client
from trailcourier.clock import SYSTEM_CLOCK, Clock
from trailcourier.models import Numbers, ObjectRef

FORMAT = 1

PRELUDE = """
local G, S = KEYS[1], KEYS[2]
local T, C = redis.call('TIME'), redis.call('MGET', G .. 'clock', G .. 'offset')
local NOW = tonumber(C[1]) or T[1] * 1000 + math.floor(T[2] / 1000) + (tonumber(C[2]) or 0)

-- Whether a deadline, set at most `most` milliseconds ahead, still lies ahead.  One further ahead
-- was set before the broker's clock was put back, and holds nobody up.
local function ahead(deadline, most)
  deadline = tonumber(deadline) or 0
  return deadline > NOW and deadline <= NOW + most
end

-- The answer of a script that ran with this token, for a client whose answer was lost.
local function remembered(token)
  local answer = redis.call('GET', S .. 'once:' .. token)
  return answer and cmsgpack.unpack(answer)
end
local function remember(token, answer)
  redis.call('SET', S .. 'once:' .. token, cmsgpack.pack(answer), 'PX', 60000)
  return answer
end

-- Claims: whose it is, whether it still holds, and the task id, or the answer once it has ended.
local CLAIM_MOST = 600000
local function claim_on(oid)
  local held = redis.call('GET', S .. 'c:' .. oid)
  if not held then return nil end
  local deadline, token, rest = string.match(held, '^(%d+)|([^|]*)|(.*)$')
  return {live = ahead(deadline, CLAIM_MOST), ended = deadline == '0', token = token, rest = rest}
end
local function held_claim(oid)
  local claim = claim_on(oid)
  return claim and claim.live and claim or nil
end
local function hold_claim(oid, token, task, life)
  redis.call('SET', S .. 'c:' .. oid, string.format('%d|%s|%s', NOW + life, token, task),
    'PX', life + 600000)
end
local function end_claim(oid, token, answer)
  redis.call('SET', S .. 'c:' .. oid, '0|' .. token .. '|' .. cmsgpack.pack(answer), 'PX', 60000)
  return answer
end

-- Marks: the 12-byte name of the object in one of 4,096 small hashes per three days, so that Redis
-- keeps them as listpacks; its first byte is in the hash's name and need not be in the field.  The
-- value is a 4-byte digest of each content delivered.
local SPAN = 259200000
local function shard(oid)
  return string.byte(oid, 1) * 16 + math.floor(string.byte(oid, 2) / 16)
end
local function contents(oid, spans)
  local period, name, found = math.floor(NOW / SPAN), string.sub(oid, 2), ''
  for back = 0, spans do
    local value = redis.call('HGET', S .. 'd:' .. (period - back) .. ':' .. shard(oid), name)
    if value then found = found .. value end
  end
  return found
end
local function holds(found, digest)
  if digest == '' then return found ~= '' end
  for at = 1, #found, 4 do
    if string.sub(found, at, at + 3) == digest then return true end
  end
  return false
end
local function mark(oid, digest, spans)
  local key = S .. 'd:' .. math.floor(NOW / SPAN) .. ':' .. shard(oid)
  local name = string.sub(oid, 2)
  local value = redis.call('HGET', key, name) or ''
  if value == '' or not holds(value, digest) then
    redis.call('HSET', key, name, string.sub(value .. digest, -32))
    redis.call('PEXPIRE', key, SPAN * (spans + 1))
  end
end

-- Breakers.  A probe lets one object through every so often while open.
local function is_open(name) return redis.call('HEXISTS', G .. 'b:' .. name, 'open') == 1 end
local function probes(name, pause, token)
  local key = G .. 'b:' .. name
  local f = redis.call('HMGET', key, 'probe', 'prober')
  if f[2] == token then return true end
  if ahead((tonumber(f[1]) or 0) + pause, pause) then return false end
  redis.call('HSET', key, 'probe', NOW, 'prober', token)
  return true
end
local function succeed(name)
  local key = G .. 'b:' .. name
  redis.call('DEL', key .. ':f')
  local was = redis.call('HDEL', key, 'open', 'reason', 'text') > 0
  if was then
    redis.call('SREM', G .. 'open', name)
    redis.call('HSET', key, 'closed', NOW)
  end
  redis.call('HSET', key, 'ok', NOW)
  return was
end
local function fail(name, what, limit, reason, text)
  local key = G .. 'b:' .. name
  redis.call('ZREMRANGEBYSCORE', key .. ':f', '-inf', NOW - 3600000)
  redis.call('ZADD', key .. ':f', NOW, what)
  redis.call('PEXPIRE', key .. ':f', 7200000)
  if redis.call('ZCARD', key .. ':f') >= limit and not is_open(name) then
    redis.call('HSET', key, 'open', NOW, 'probe', NOW, 'reason', reason, 'text', text)
    redis.call('SADD', G .. 'open', name)
    return true
  end
  return false
end

-- One settle for all messages that are finished at about the same time: the first asks for it.
local function finished(mid, token)
  redis.call('ZADD', S .. 'done', 'NX', NOW, mid)
  local deadline, asker = string.match(redis.call('GET', S .. 'settling') or '', '^(%d+)|(.*)$')
  if ahead(deadline, 2000) then return asker == token and 1 or 0 end
  redis.call('SET', S .. 'settling', string.format('%d|%s', NOW + 2000, token), 'PX', 60000)
  return 1
end

local function moves(what) redis.call('HSET', G .. 'seen', what, string.format('%d', NOW)) end
local function count(field, by) redis.call('HINCRBY', S .. 'sums', field, by) end
local function forget(mid)
  local key = S .. 'm:' .. mid
  local n = tonumber(redis.call('HGET', key, 'n') or '0')
  for i = 0, n - 1 do
    redis.call('ZREM', S .. 'flight', mid .. '/' .. i)
    redis.call('ZREM', S .. 'parked', mid .. '/' .. i)
  end
  redis.call('DEL', key)
  redis.call('ZREM', S .. 'leases', mid)
  redis.call('ZREM', S .. 'done', mid)
end
"""


class Script:
    """A piece of Lua that runs after PRELUDE; written beside the method that calls it."""

    def __init__(self, body: str) -> None:
        self.text = PRELUDE + body
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Store:
    """One source's corner of one Redis."""

    def __init__(
        self,
        client: Client,
        source: str,
        numbers: Numbers,
        namespace: str = "trailcourier",
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.client: Any = client  # typed for str and bytes at once; here it answers bytes
        self.source = source
        self.numbers = numbers
        self.everyone = f"{namespace}:{FORMAT}:"
        self.own = f"{self.everyone}s:{source}:"
        self.spans = -(-numbers.marks_days // 3)
        self.token = clock.token

    def call(self, script: Script, *args: str | bytes | float) -> Any:
        """Run *script*; Redis is sent its text only where it does not know it yet."""
        keys_and_args = (self.everyone, self.own, *args)
        try:
            return self.client.own.evalsha(script.sha, 2, *keys_and_args)
        except redis.exceptions.NoScriptError:
            return self.client.own.eval(script.text, 2, *keys_and_args)


def object_id(ref: ObjectRef) -> bytes:
    """The 12-byte name of an object within its source: bucket and key, not content."""
    named = f"{ref.bucket}\0{ref.key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(named, digest_size=12).digest()


def content_digest(etag: str | None) -> bytes:
    """Four bytes for one content of an object; empty where the notice names none."""
    return hashlib.blake2b(etag.encode(), digest_size=4).digest() if etag else b""


def announced_content(ref: ObjectRef) -> bytes:
    """The digest of the content a notice names: its etag, else its version, else none."""
    return content_digest(ref.etag or (ref.version and f"version:{ref.version}"))
