-- Count objects that were skipped in a row for one reason; another reason starts a new row.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; reason; number of objects
-- answer  the length of the row
-- twice   the answer is kept under the token for a minute and given again
-- include: source, kept_answer

local token, reason, times = ARGV[1], ARGV[2], ARGV[3]
local key, before = S .. 'skips', recall_answer(token)
if before then return before end
if redis.call('HGET', key, 'reason') ~= reason then
  redis.call('HSET', key, 'reason', reason, 'run', 0)
end
return keep_answer(token, redis.call('HINCRBY', key, 'run', times))
