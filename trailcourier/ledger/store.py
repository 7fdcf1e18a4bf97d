"""The ledger's footing: one Redis, one source's keys, and the Lua every script begins with.

Keys, all under ``<namespace>:1:`` (1 is the format; another format is another ledger):

====================  ====================================================================
``offset``            milliseconds added to Redis TIME; only tests set it
``high``              dispatch time of the latest forward ever claimed: what lies 30 s below is lost
``workers``           hash: object workers, when each was last heard of and its threads
``b:<breaker>``       hash: open, probe, ok, closed, reason, text; ``:f`` set of failed objects
``s:<source>:m:<id>`` hash: one lease, one message; see leases.py
``s:<source>:o:<oid>`` hash: starts, tries and progress of one object not yet done
``s:<source>:c:<oid>`` string: the live claim, ``token|task id``
``s:<source>:d:...``  hashes: marks of delivered objects; see marks in PRELUDE
``s:<source>:flight`` zset: ``<message>/<index>`` by dispatch time
``s:<source>:parked`` zset: the same by due time
``s:<source>:leases`` zset: messages by the end of their visibility
``s:<source>:done``   zset: messages whose objects are all done, not yet settled
``s:<source>:settling`` string: a settle was asked for and has not begun
``s:<source>:q``      hash: quarantine entries; ``:qt`` zset by time
``s:<source>:sums``   hash: counters
``s:<source>:poll:n`` string: the poll lease
====================  ====================================================================

Times are Redis TIME in milliseconds, so hosts need not agree.
"""

import hashlib
from typing import Any

import redis

from trailcourier.client import Client
from trailcourier.models import Numbers, ObjectRef

FORMAT = 1

PRELUDE = """
local G, S = KEYS[1], KEYS[2]
local T = redis.call('TIME')
local NOW = T[1] * 1000 + math.floor(T[2] / 1000)
  + tonumber(redis.call('GET', G .. 'offset') or '0')

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
local function probes(name, pause)
  local last = tonumber(redis.call('HGET', G .. 'b:' .. name, 'probe') or '0')
  if NOW - last < pause then return false end
  redis.call('HSET', G .. 'b:' .. name, 'probe', NOW)
  return true
end
-- *ago* milliseconds old, or new; one that is older than the opening closes nothing.
local function succeed(name, ago)
  local key, at = G .. 'b:' .. name, NOW - (ago or 0)
  if at < tonumber(redis.call('HGET', key, 'open') or '0') then return false end
  redis.call('DEL', key .. ':f')
  local was = redis.call('HDEL', key, 'open', 'reason', 'text') > 0
  if was then redis.call('HSET', key, 'closed', NOW) end
  redis.call('HSET', key, 'ok', math.max(at, tonumber(redis.call('HGET', key, 'ok') or '0')))
  return was
end
-- Whether a sink accepted a record since *at*, and failed with none after that.
local function accepted_since(name, at)
  local key = G .. 'b:sink:' .. name
  return tonumber(redis.call('HGET', key, 'ok') or '0') > at
    and redis.call('EXISTS', key .. ':f') == 0
end
local function fail(name, what, limit, reason, text)
  local key = G .. 'b:' .. name
  redis.call('SADD', key .. ':f', what)
  redis.call('PEXPIRE', key .. ':f', 3600000)
  if redis.call('SCARD', key .. ':f') >= limit and not is_open(name) then
    redis.call('HSET', key, 'open', NOW, 'probe', NOW, 'reason', reason, 'text', text)
    return true
  end
  return false
end

-- One settle for all messages that are finished at about the same time: the first asks for it.
local function finished(mid)
  redis.call('ZADD', S .. 'done', NOW, mid)
  return redis.call('SET', S .. 'settling', 1, 'NX', 'PX', 2000) and 1 or 0
end

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
        self, client: Client, source: str, numbers: Numbers, namespace: str = "trailcourier"
    ) -> None:
        self.client: Any = client  # typed for str and bytes at once; here it answers bytes
        self.source = source
        self.numbers = numbers
        self.everyone = f"{namespace}:{FORMAT}:"
        self.own = f"{self.everyone}s:{source}:"
        self.spans = -(-numbers.marks_days // 3)

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
