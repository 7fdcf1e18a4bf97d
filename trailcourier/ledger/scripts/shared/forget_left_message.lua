-- Forget a message that was left to the queue.
-- include: read_left_message

local function forget_left_message(mid)
  local x = read_left_message(mid)
  redis.call('HDEL', S .. 'left', mid)
  redis.call('ZREM', S .. 'left:ends', mid)
  if not x then return end
  local few, often = S .. 'left:few:' .. x.bucket, S .. 'left:often:' .. x.bucket
  redis.call('ZREM', few, mid)
  redis.call('ZREM', often, mid)
  if redis.call('EXISTS', few, often) == 0 then
    redis.call('SREM', S .. 'left:buckets', x.bucket)
  end
end
