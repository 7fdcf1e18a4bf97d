-- Take leases with less than half of their visibility left; each goes to one caller.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; half of the visibility (ms); how long the leases are reserved for the caller (ms);
--         number of leases at most
-- answer  for each: message; receipt; age (ms)
-- twice   the answer is kept under the token for a minute and given again
-- include: runs_when_full, source, clock, kept_answer

local token, half, hold, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local before, answers = recall_answer(token), {}
if before then return before end
local due = redis.call('ZRANGEBYSCORE', S .. 'leases', '-inf', NOW + half, 'LIMIT', 0, most)
if #due == 0 then  -- further ahead than any visibility: the broker's clock was set back
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
return #due > 0 and keep_answer(token, answers) or answers
