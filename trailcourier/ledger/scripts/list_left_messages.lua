-- Count the messages that are left to the queue, by bucket.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    none
-- answer  now (ms); when SQS redelivers the last of them (ms, 0 without any). Then a list with, for
--         each bucket: bucket and account; number of messages; how many of them were received often
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
