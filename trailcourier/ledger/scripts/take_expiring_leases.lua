-- Leases with less than half their visibility left, each told to one caller only.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, half of the visibility (ms), for how long the caller has them to itself (ms), how
--         many at most
-- answer  message, receipt, age (ms) of each
-- twice   the answer is kept
-- include: frees, source, clock, once

local token, half, hold, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local before, answers = remembered(token), {}
if before then return before end
local due = redis.call('ZRANGEBYSCORE', S .. 'leases', '-inf', NOW + half, 'LIMIT', 0, most)
if #due == 0 then  -- further ahead than any visibility: the broker's clock was put back
  due = redis.call('ZRANGEBYSCORE', S .. 'leases', NOW + 2 * half + 60000, '+inf', 'LIMIT', 0, most)
end
for _, mid in ipairs(due) do
  local f = redis.call('HMGET', S .. 'm:' .. mid, 'h', 'r')
  if f[1] then
    redis.call('ZADD', S .. 'leases', NOW + half + hold, mid)
    answers[#answers + 1] = {mid, f[1], NOW - tonumber(f[2])}
  else
    redis.call('ZREM', S .. 'leases', mid)
  end
end
return #due > 0 and remember(token, answers) or answers
