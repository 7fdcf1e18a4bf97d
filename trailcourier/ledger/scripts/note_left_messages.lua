-- Remember messages that were left to the queue, to hand them back when their bucket recovers.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    bucket and account, how many a source remembers, after how many receives a message is
--         handed back later; then for each: message, receives, receipt, for how long it is hidden
--         (ms)
-- answer  nothing
-- twice   the same values are set
-- include: frees, source, clock, forget_left

local bucket, most, early = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
for a = 4, #ARGV, 4 do
  local mid, receives, handle, hidden = ARGV[a], tonumber(ARGV[a + 1]), ARGV[a + 2],
    tonumber(ARGV[a + 3])
  forget_left(mid)
  if receives > early then redis.call('ZADD', S .. 'left:often:' .. bucket, NOW, mid)
  else redis.call('ZADD', S .. 'left:few:' .. bucket, NOW, mid) end
  redis.call('ZADD', S .. 'left:ends', NOW + hidden, mid)
  redis.call('HSET', S .. 'left', mid, cmsgpack.pack({handle = handle, receives = receives,
    bucket = bucket, asked = 0}))
  redis.call('SADD', S .. 'left:buckets', bucket)
end
while redis.call('HLEN', S .. 'left') > most do
  local next = redis.call('ZRANGE', S .. 'left:ends', 0, 0)
  if not next[1] then break end
  forget_left(next[1])
end
