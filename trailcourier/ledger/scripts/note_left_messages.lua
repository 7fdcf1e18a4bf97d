-- Remember messages that are left to the queue for one bucket, so that they can be released when it
-- recovers. Beyond a number, the ones that SQS redelivers first are forgotten.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    bucket and account; number of messages a source remembers; receives beyond which a
--         message is released late; how long they are reserved for the caller (ms). Then for each:
--         message; receive count; receipt; how long SQS hides it (ms)
-- answer  nothing
-- twice   a second call sets the same values
-- include: runs_when_full, source, clock, forget_left_message

local bucket, most, early = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local hold = tonumber(ARGV[4])
for a = 5, #ARGV, 4 do
  local mid, receives, handle, hidden = ARGV[a], tonumber(ARGV[a + 1]), ARGV[a + 2],
    tonumber(ARGV[a + 3])
  forget_left_message(mid)
  if receives > early then redis.call('ZADD', S .. 'left:often:' .. bucket, NOW, mid)
  else redis.call('ZADD', S .. 'left:few:' .. bucket, NOW, mid) end
  redis.call('ZADD', S .. 'left:ends', NOW + hidden, mid)
  redis.call('HSET', S .. 'left', mid, cmsgpack.pack({handle = handle, receives = receives,
    bucket = bucket, asked = NOW + hold}))
  redis.call('SADD', S .. 'left:buckets', bucket)
end
while redis.call('HLEN', S .. 'left') > most do
  local next = redis.call('ZRANGE', S .. 'left:ends', 0, 0)
  if not next[1] then break end
  forget_left_message(next[1])
end
