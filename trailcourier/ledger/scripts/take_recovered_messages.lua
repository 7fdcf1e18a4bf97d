-- Take messages that were left to the queue and may be released now, the oldest first:
-- * those whose bucket's breaker has closed since, or that have waited long enough while few of the
-- bucket's objects are parked; no more than may be parked again, because otherwise they would be
-- left once more, at the cost of a receive;
-- * those received often only after a longer wait, and only if the bucket is well: one of its
-- objects was delivered since they were left, and none is parked;
-- * one of a bucket whose breaker is open, where nothing else can probe it.
-- An object that is being retried counts as parked. Each message is reserved for one caller for a
-- while. Messages that SQS has redelivered by itself are forgotten.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; source; number of messages at most; parked objects a bucket may have;
--         how long is long enough (ms); the same for those received often (ms); longest pause of a
--         breaker (ms); how long they are reserved for the caller (ms)
-- answer  for each: message; receipt; receive count; bucket and account; 0
-- twice   the answer is kept under the token for a minute and given again
-- include: fleet, source, is_ahead, kept_answer, is_open, probe_is_due, read_left_message
-- include: forget_left_message, split_member, fills_bucket

local token, source, room, parked = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local patience, longer, pause = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local reserved_for = tonumber(ARGV[8])
local before, found = recall_answer(token), {}
if before then return before end
for _, mid in ipairs(redis.call('ZRANGEBYSCORE', S .. 'left:ends', '-inf', NOW)) do
  forget_left_message(mid)
end

-- Find messages that were left at `till` or earlier.  A message that was left later than now was
-- left before the broker's clock was set back, and is due.
local function find_due(key, till, most)
  if most < 1 then return {} end
  local mids = redis.call('ZRANGEBYSCORE', key, '-inf', math.min(till, NOW), 'LIMIT', 0, most)
  if #mids > 0 then return mids end
  return redis.call('ZRANGEBYSCORE', key, NOW + 1, '+inf', 'LIMIT', 0, most)
end
-- Take these messages.  One that has a lease again is forgotten, unless its receive count is the
-- same: then it is being left just now, or was not left in the end because its process died.
local function take_messages(key, mids)
  for _, mid in ipairs(mids) do
    local x, count = read_left_message(mid), redis.call('HGET', S .. 'm:' .. mid, 'c')
    local noted = tonumber(redis.call('ZSCORE', key, mid))
    if count and (tonumber(count) > x.receives or not is_ahead(noted + 60000, 60000)) then
      forget_left_message(mid)
    elseif not count and not is_ahead(x.asked, reserved_for) then
      x.asked = NOW + reserved_for
      redis.call('HSET', S .. 'left', mid, cmsgpack.pack(x))
      found[#found + 1] = {mid, x.handle, x.receives, x.bucket, 0}
      room = room - 1
    end
  end
end

-- Count the objects that are parked or being retried, by bucket and account and by whole bucket.
local function count_waiting()
  local waiting, parked_ones = {}, redis.call('HGETALL', S .. 'buckets')
  local function add(bucket, by)
    waiting[bucket] = (waiting[bucket] or 0) + by
    local whole = string.match(bucket, '^([^/]*)/')
    if whole then add(whole, by) end
  end
  for a = 1, #parked_ones, 2 do add(parked_ones[a], tonumber(parked_ones[a + 1])) end
  for _, member in ipairs(redis.call('ZRANGE', S .. 'flight', 0, -1)) do
    local mid, i = split_member(member)
    local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':b', i .. ':p')
    if f[1] and f[2] and fills_bucket(f[2]) then add(f[1], 1) end
  end
  return waiting
end

local buckets = room > 0 and redis.call('SMEMBERS', S .. 'left:buckets') or {}
table.sort(buckets)
local all = #buckets > 0 and count_waiting() or {}
local turn = math.floor(NOW / 10000)  -- so that no bucket takes all the room every time
for place = 1, #buckets do
  local bucket = buckets[(turn + place) % #buckets + 1]
  local few, often = S .. 'left:few:' .. bucket, S .. 'left:often:' .. bucket
  local name = 'bucket:' .. source .. ':' .. bucket
  local whole = string.match(name, '^[^/]*')
  local waiting = all[bucket] or 0
  if not is_open(name) and not is_open(whole) then
    local f = redis.call('HMGET', G .. 'closed', name, whole)
    local closed = math.max(tonumber(f[1] or '0'), tonumber(f[2] or '0'))
    local free = math.min(room, parked - waiting)  -- in case all of them are parked again
    local calm, before_these = waiting < parked / 2 and free or 0, room
    take_messages(few, find_due(few, math.max(closed, NOW - patience), calm))
    local ok = tonumber(redis.call('HGET', G .. 'ok', name) or '0')
    local well = ok > 0 and waiting == 0 and free - (before_these - room) or 0
    take_messages(often, find_due(often, math.min(ok, NOW - longer), well))
  elseif (all[is_open(whole) and string.match(bucket, '^[^/]*') or bucket] or 0) == 0 then
    -- no object is left that could probe it, and only a probe closes a breaker
    local open = is_open(whole) and whole or name
    local most = probe_is_due(open, pause, token) and math.min(room, 1) or 0
    local key = redis.call('EXISTS', few) == 1 and few or often
    take_messages(key, find_due(key, NOW - pause, most))
  end
end
return #found > 0 and keep_answer(token, found) or found
