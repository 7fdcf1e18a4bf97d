-- Messages left to the queue whose bucket has recovered since, or that have waited long enough
-- while few of its objects are parked; the oldest first, each told to one caller only.  And one of
-- a bucket whose breaker is open, where nothing else is there to probe it with.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, source, how many of a bucket at most, parked objects a bucket may have, how long
--         is enough (ms), longest pause of a breaker (ms)
-- answer  message, receipt, receives, bucket and account, 0 of each
-- twice   the answer is kept
-- include: fleet, source, clock, once, is_open, probe_is_due

local token, source, room, parked = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local patience, pause = tonumber(ARGV[5]), tonumber(ARGV[6])
local before, found = remembered(token), {}
if before then return before end
local buckets = redis.call('SMEMBERS', S .. 'left:buckets')
table.sort(buckets)
for _, bucket in ipairs(buckets) do
  local key, name = S .. 'left:' .. bucket, 'bucket:' .. source .. ':' .. bucket
  local whole = string.match(name, '^[^/]*')
  local f = redis.call('HMGET', G .. 'closed', name, whole)
  local closed = math.max(tonumber(f[1] or '0'), tonumber(f[2] or '0'))
  local held = tonumber(redis.call('HGET', S .. 'buckets', bucket) or '0')
  local till, most = math.max(closed, NOW - patience), 0
  if not is_open(name) and not is_open(whole) then
    most = held < parked / 2 and room or 0
  elseif held == 0 then  -- no object is left to probe with, and only a probe closes a breaker
    local open = is_open(whole) and whole or name
    till, most = NOW - pause, probe_is_due(open, pause, token) and math.min(room, 1) or 0
  end
  if most > 0 then
    for _, mid in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', till, 'LIMIT', 0, most)) do
      local receives, handle = string.match(redis.call('HGET', S .. 'left', mid), '^(%d+)|(.*)$')
      redis.call('ZREM', key, mid)
      redis.call('HDEL', S .. 'left', mid)
      found[#found + 1] = {mid, handle, tonumber(receives), bucket, 0}
    end
    if redis.call('EXISTS', key) == 0 then redis.call('SREM', S .. 'left:buckets', bucket) end
  end
end
return #found > 0 and remember(token, found) or found
