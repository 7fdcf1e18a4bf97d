-- Remember messages that were left to the queue, to hand them back when their bucket recovers.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    bucket and account, how many a source remembers; then for each: message, receives,
--         receipt
-- answer  nothing
-- twice   the same values are set
-- include: frees, source, clock

local bucket, most = ARGV[1], tonumber(ARGV[2])
local key = S .. 'left:' .. bucket
for a = 3, #ARGV, 3 do
  local mid, receives, handle = ARGV[a], ARGV[a + 1], ARGV[a + 2]
  redis.call('ZADD', key, NOW, mid)
  redis.call('HSET', S .. 'left', mid, receives .. '|' .. handle)
end
redis.call('SADD', S .. 'left:buckets', bucket)
while redis.call('HLEN', S .. 'left') > most do
  local oldest = redis.call('ZPOPMIN', key)
  if not oldest[1] then break end
  redis.call('HDEL', S .. 'left', oldest[1])
end
