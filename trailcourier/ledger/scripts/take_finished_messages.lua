-- Take messages whose objects were all done a while ago and which are not settled; each goes to one
-- caller.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; how long ago (ms)
-- answer  the messages
-- twice   the answer is kept under the token for a minute and given again
-- include: runs_when_full, source, clock, kept_answer

local token, since = ARGV[1], tonumber(ARGV[2])
local before = recall_answer(token)
if before then return before end
local due = redis.call('ZRANGEBYSCORE', S .. 'done', '-inf', NOW - since, 'LIMIT', 0, 200)
if #due == 0 then  -- later than now: the broker's clock was set back
  due = redis.call('ZRANGEBYSCORE', S .. 'done', NOW + 60000, '+inf', 'LIMIT', 0, 200)
end
for _, mid in ipairs(due) do redis.call('ZADD', S .. 'done', NOW, mid) end
return #due > 0 and keep_answer(token, due) or due
