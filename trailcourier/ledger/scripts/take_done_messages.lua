-- Messages whose objects have all been done for a while and which nobody settled, each told to one
-- caller only.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, for how long they are done (ms)
-- answer  messages
-- twice   the answer is kept
-- include: frees, source, clock, once

local token, since = ARGV[1], tonumber(ARGV[2])
local before = remembered(token)
if before then return before end
local due = redis.call('ZRANGEBYSCORE', S .. 'done', '-inf', NOW - since, 'LIMIT', 0, 200)
if #due == 0 then  -- later than now: the broker's clock was put back
  due = redis.call('ZRANGEBYSCORE', S .. 'done', NOW + 60000, '+inf', 'LIMIT', 0, 200)
end
for _, mid in ipairs(due) do redis.call('ZADD', S .. 'done', NOW, mid) end
return #due > 0 and remember(token, due) or due
