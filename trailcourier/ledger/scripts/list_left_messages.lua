-- How many messages are left to the queue, for which buckets.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    none
-- answer  now (ms), when the last of them comes back by itself (ms, 0 without any); bucket and
--         account, how many, how many of them were received often, of each
-- twice   it writes nothing
-- include: source, clock

local found, buckets = {}, redis.call('SMEMBERS', S .. 'left:buckets')
table.sort(buckets)
for _, bucket in ipairs(buckets) do
  local often = redis.call('ZCARD', S .. 'left:often:' .. bucket)
  local few = redis.call('ZCARD', S .. 'left:few:' .. bucket)
  found[#found + 1] = {bucket, few + often, often}
end
local last = redis.call('ZRANGE', S .. 'left:ends', -1, -1, 'WITHSCORES')[2]
return {NOW, tonumber(last or '0'), found}
