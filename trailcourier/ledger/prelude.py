"""The Lua that every script of the ledger begins with."""

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
-- value is a 4-byte digest of each content delivered, then one byte: in which 256th of the three
-- days the latest delivery was.
local SPAN, PART = 259200000, 1012500
local function shard(oid)
  return string.byte(oid, 1) * 16 + math.floor(string.byte(oid, 2) / 16)
end
local function digests_in(value) return string.sub(value, 1, #value - #value % 4) end
-- The digests of what was delivered of an object, and when the latest was, within 17 minutes.
local function contents(oid, spans)
  local period, name, found, at = math.floor(NOW / SPAN), string.sub(oid, 2), '', 0
  for back = 0, spans do
    local value = redis.call('HGET', S .. 'd:' .. (period - back) .. ':' .. shard(oid), name)
    if value then
      if found == '' and #value % 4 == 1 then
        at = (period - back) * SPAN + string.byte(value, -1) * PART
      end
      found = found .. digests_in(value)
    end
  end
  return found, at
end
local function holds(found, digest)
  if digest == '' then return found ~= '' end
  for at = 1, #found, 4 do
    if string.sub(found, at, at + 3) == digest then return true end
  end
  return false
end
-- Whether a delivery at this time is less than an hour ago, or an hour and 17 minutes.
local function recent(at) return at <= NOW and NOW - at < 3600000 + PART end
local function mark(oid, digest, spans)
  local key = S .. 'd:' .. math.floor(NOW / SPAN) .. ':' .. shard(oid)
  local name = string.sub(oid, 2)
  local value = digests_in(redis.call('HGET', key, name) or '')
  if value == '' or not holds(value, digest) then value = string.sub(value .. digest, -32) end
  redis.call('HSET', key, name, value .. string.char(math.floor(NOW % SPAN / PART)))
  redis.call('PEXPIRE', key, SPAN * (spans + 1))
end

-- Breakers.  One that is open lets a few objects through now and then: one after a sixth of the
-- longest pause, then two, four, ... of a bucket after longer and longer pauses.
local function is_open(name) return redis.call('SISMEMBER', G .. 'open', name) == 1 end
local function pause_before_probe(times, longest)
  return math.min(longest, longest / 6 * 2 ^ math.min(times, 10))
end
local function probe_is_due(name, longest, token)
  local f = redis.call('HMGET', G .. 'b:' .. name, 'probe', 'prober', 'probes', 'left')
  if f[2] == token or (tonumber(f[4]) or 0) > 0 then return true end
  local pause = pause_before_probe(tonumber(f[3]) or 0, longest)
  return not ahead((tonumber(f[1]) or 0) + pause, pause)
end
-- A sink that rejects all it is sent of some objects may take others: those are tried first.  Its
-- parked ones are tried where no other has come for as long again.
local function rejects_all(name)
  return redis.call('HGET', G .. 'b:' .. name, 'reason') == 'sink-rejects-all'
end
local function others_first(name, longest)
  if not rejects_all(name) then return false end
  local f = redis.call('HMGET', G .. 'b:' .. name, 'probe', 'probes')
  local pause = 2 * pause_before_probe(tonumber(f[2]) or 0, longest)
  return ahead((tonumber(f[1]) or 0) + pause, pause)
end
local function probes(name, longest, token)
  local key = G .. 'b:' .. name
  local f = redis.call('HMGET', key, 'probe', 'prober', 'probes', 'left')
  if f[2] == token then return true end
  local times, left = tonumber(f[3]) or 0, tonumber(f[4]) or 0
  local pause = pause_before_probe(times, longest)
  if not ahead((tonumber(f[1]) or 0) + pause, pause) then
    local more = string.sub(name, 1, 7) == 'bucket:' and math.min(16, 2 ^ times) or 1
    redis.call('HSET', key, 'probe', NOW, 'prober', token, 'probes', times + 1, 'left', more - 1)
    return true
  end
  if left < 1 then return false end
  redis.call('HSET', key, 'prober', token, 'left', left - 1)
  return true
end
local function close(name)
  redis.call('DEL', G .. 'b:' .. name .. ':f')
  redis.call('SREM', G .. 'failing', name)
  if redis.call('SREM', G .. 'open', name) == 0 then return false end
  redis.call('HDEL', G .. 'b:' .. name, 'open', 'reason', 'text', 'probe', 'prober', 'probes')
  redis.call('HSET', G .. 'closed', name, NOW)
  return true
end
local function open(name, reason, text)
  redis.call('SADD', G .. 'open', name)
  redis.call('SADD', G .. 'failing', name)
  redis.call('HSET', G .. 'b:' .. name, 'open', NOW, 'probe', NOW, 'prober', '', 'probes', 0,
    'left', 0, 'reason', reason, 'text', text)
end

-- Whether failures are counted of objects of two groups: those of one have a narrower breaker.
local function of_two(failures)
  local first = string.match(failures[1], '^(.-) ')
  for _, each in ipairs(failures) do
    if string.match(each, '^(.-) ') ~= first then return true end
  end
  return false
end
local function fail(name, what, limit, reason, text, group)
  local key = G .. 'b:' .. name .. ':f'
  redis.call('SADD', G .. 'failing', name)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', NOW - 3600000)
  redis.call('ZADD', key, NOW, (group or '') .. ' ' .. what)
  redis.call('ZREMRANGEBYRANK', key, 0, -1001)
  redis.call('PEXPIRE', key, 7200000)
  if is_open(name) or redis.call('ZCARD', key) < limit then return false end
  if (group or '') ~= '' and not of_two(redis.call('ZRANGE', key, 0, -1)) then return false end
  open(name, reason, text)
  return true
end

-- A failure that may be one host's own is that host's where others are at work, until a second
-- host fails alike.  The answer is the breaker that opened, and how the host's own is called.
local function fail_here(name, host, what, limit, reason, text)
  local own = name .. '@' .. host
  redis.call('SADD', G .. 'here:' .. host, own)
  if not fail(own, what, limit, reason, text) then return '', own end
  local alike = {}
  for _, other in ipairs(redis.call('SMEMBERS', G .. 'open')) do
    if string.sub(other, 1, #name + 1) == name .. '@' then alike[#alike + 1] = other end
  end
  if #alike < 2 then return own, own end
  for _, other in ipairs(alike) do close(other) end
  if not is_open(name) then open(name, reason, text) end
  return name, own
end

-- Note a success, now or `ago` milliseconds ago; the answer is which of the breakers it closed.
-- One from before a breaker opened does not close it.
local function opened_since(name, at)
  local since = tonumber(redis.call('HGET', G .. 'b:' .. name, 'open') or '0')
  return since > at and since <= NOW
end
local function succeed(names, host, ago)
  local closed, ok = {}, {}
  if #names == 0 then return closed end
  for _, name in ipairs(names) do
    ok[#ok + 1] = name
    ok[#ok + 1] = NOW - (ago and ago[name] or 0)
  end
  redis.call('HSET', G .. 'ok', unpack(ok))
  local failing = redis.call('SMISMEMBER', G .. 'failing', unpack(names))
  for at, name in ipairs(names) do
    if failing[at] == 1 and not opened_since(name, ok[2 * at]) and close(name) then
      closed[#closed + 1] = name
    end
  end
  if (host or '') == '' or redis.call('EXISTS', G .. 'here:' .. host) == 0 then return closed end
  for at, name in ipairs(names) do
    local own = name .. '@' .. host
    if not opened_since(own, ok[2 * at]) and redis.call('SREM', G .. 'here:' .. host, own) == 1
      and close(own) then closed[#closed + 1] = own end
  end
  return closed
end

-- Parked objects: by their due time, all together and for each breaker that they wait for ('' for
-- none).  Those beyond `most` of one bucket and account are not held: their message is left to the
-- queue.  What waits for a sink or for credentials does not count: nothing is received then.
local function counts(scope)
  local kind = string.match(scope, '^[^:]*')
  return kind ~= 'sink' and kind ~= 'credentials'
end
local function unpark(mid, i)
  local member = mid .. '/' .. i
  if redis.call('ZREM', S .. 'parked', member) == 0 then return end
  local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':p', i .. ':b')
  local scope, bucket = f[1] or '', f[2] or ''
  redis.call('ZREM', S .. 'p:' .. scope, member)
  if redis.call('EXISTS', S .. 'p:' .. scope) == 0 then redis.call('SREM', S .. 'scopes', scope) end
  if counts(scope) and redis.call('HINCRBY', S .. 'buckets', bucket, -1) < 1 then
    redis.call('HDEL', S .. 'buckets', bucket)
  end
end
local function park(mid, i, scope, wait, most)
  local key, member = S .. 'm:' .. mid, mid .. '/' .. i
  unpark(mid, i)
  redis.call('ZREM', S .. 'flight', member)
  redis.call('HSET', key, i .. ':p', scope, i .. ':pt', NOW)
  redis.call('ZADD', S .. 'parked', NOW + wait, member)
  redis.call('ZADD', S .. 'p:' .. scope, NOW + wait, member)
  redis.call('SADD', S .. 'scopes', scope)
  local bucket = redis.call('HGET', key, i .. ':b') or ''
  if counts(scope) and redis.call('HINCRBY', S .. 'buckets', bucket, 1) > most then
    redis.call('ZADD', S .. 'full', 'NX', NOW, mid)
  end
end

-- One settle for all messages that are finished at about the same time: the first asks for it.
local function finished(mid, token)
  redis.call('ZADD', S .. 'done', 'NX', NOW, mid)
  local deadline, asker = string.match(redis.call('GET', S .. 'settling') or '', '^(%d+)|(.*)$')
  if ahead(deadline, 2000) then return asker == token and 1 or 0 end
  redis.call('SET', S .. 'settling', string.format('%d|%s', NOW + 2000, token), 'PX', 60000)
  return 1
end

-- Note that something moves; it deletes first, so that a full Redis lets the script go on.
local function moves(what)
  redis.call('HDEL', G .. 'seen', what)
  redis.call('HSET', G .. 'seen', what, string.format('%d', NOW))
end
local function count(field, by) redis.call('HINCRBY', S .. 'sums', field, by) end
local function forget(mid)
  local key = S .. 'm:' .. mid
  local n = tonumber(redis.call('HGET', key, 'n') or '0')
  for i = 0, n - 1 do
    redis.call('ZREM', S .. 'flight', mid .. '/' .. i)
    unpark(mid, i)
  end
  redis.call('DEL', key)
  redis.call('ZREM', S .. 'leases', mid)
  redis.call('ZREM', S .. 'done', mid)
  redis.call('ZREM', S .. 'full', mid)
end
"""
