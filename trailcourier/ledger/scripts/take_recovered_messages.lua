-- Messages left to the queue whose bucket has recovered since, or that have waited long enough
-- while few of its objects are parked; the oldest first, each told to one caller only for a while.
-- Those received often wait for longer, and until the bucket is well: since they were left one of
-- its objects was delivered, and none is parked.  And one of a bucket whose breaker is open, where
-- nothing else is there to probe it with.  Those that came back by themselves are forgotten.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, source, how many of a bucket at most, parked objects a bucket may have, how long
--         is enough, and for those received often (ms), longest pause of a breaker (ms), for how
--         long the caller has them to itself (ms)
-- answer  message, receipt, receives, bucket and account, 0 of each
-- twice   the answer is kept
-- include: fleet, source, ahead, once, is_open, probe_is_due, left_message, forget_left

local token, source, room, parked = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local patience, longer, pause = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local hold = tonumber(ARGV[8])
local before, found = remembered(token), {}
if before then return before end
for _, mid in ipairs(redis.call('ZRANGEBYSCORE', S .. 'left:ends', '-inf', NOW)) do
  forget_left(mid)
end

-- Those left until then; one that was left later than now was so before the broker's clock was put
-- back, and is due.
local function due(key, till, most)
  if most < 1 then return {} end
  local mids = redis.call('ZRANGEBYSCORE', key, '-inf', math.min(till, NOW), 'LIMIT', 0, most)
  if #mids > 0 then return mids end
  return redis.call('ZRANGEBYSCORE', key, NOW + 1, '+inf', 'LIMIT', 0, most)
end
local function take(mids)
  for _, mid in ipairs(mids) do
    local x = left_message(mid)
    if redis.call('EXISTS', S .. 'm:' .. mid) == 1 then  -- it is held again
      forget_left(mid)
    elseif not ahead(x.asked, hold) then
      x.asked = NOW + hold
      redis.call('HSET', S .. 'left', mid, cmsgpack.pack(x))
      found[#found + 1] = {mid, x.handle, x.receives, x.bucket, 0}
    end
  end
end

local buckets = redis.call('SMEMBERS', S .. 'left:buckets')
table.sort(buckets)
for _, bucket in ipairs(buckets) do
  local few, often = S .. 'left:few:' .. bucket, S .. 'left:often:' .. bucket
  local name = 'bucket:' .. source .. ':' .. bucket
  local whole = string.match(name, '^[^/]*')
  local held = tonumber(redis.call('HGET', S .. 'buckets', bucket) or '0')
  if not is_open(name) and not is_open(whole) then
    local f = redis.call('HMGET', G .. 'closed', name, whole)
    local closed = math.max(tonumber(f[1] or '0'), tonumber(f[2] or '0'))
    take(due(few, math.max(closed, NOW - patience), held < parked / 2 and room or 0))
    local ok = tonumber(redis.call('HGET', G .. 'ok', name) or '0')
    take(due(often, math.min(ok, NOW - longer), ok > 0 and held == 0 and room or 0))
  elseif held == 0 then  -- no object is left to probe with, and only a probe closes a breaker
    local open = is_open(whole) and whole or name
    local most = probe_is_due(open, pause, token) and math.min(room, 1) or 0
    take(due(redis.call('EXISTS', few) == 1 and few or often, NOW - pause, most))
  end
end
return #found > 0 and remember(token, found) or found
