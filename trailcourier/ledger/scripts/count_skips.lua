-- Count skips of one reason in a row.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, reason, how many
-- answer  how long the row is now
-- twice   the answer is kept
-- include: source, once

local token, reason, times = ARGV[1], ARGV[2], ARGV[3]
local key, before = S .. 'skips', remembered(token)
if before then return before end
if redis.call('HGET', key, 'reason') ~= reason then
  redis.call('HSET', key, 'reason', reason, 'run', 0)
end
return remember(token, redis.call('HINCRBY', key, 'run', times))
