-- Note that a message went back to the queue, and drop the oldest notes beyond 20,000 or 15 days.
-- `refused` is 1 if the message, or one of its objects, was refused; 0 if it was not finished.
-- `first` is when it was first admitted (ms).
-- include: source, clock

local function forget_return(mid)
  redis.call('HDEL', S .. 'back', mid)
  redis.call('ZREM', S .. 'backt', mid)
end
local function note_return(mid, receives, sent, refused, first)
  redis.call('HSET', S .. 'back', mid,
    string.format('%d|%d|%d|%d', receives, sent, refused, first))
  redis.call('ZADD', S .. 'backt', NOW, mid)
  local kept = NOW - 1296000000  -- 15 days: SQS keeps no message for longer than 14
  for _ = 1, 3 do
    local oldest = redis.call('ZRANGE', S .. 'backt', 0, 0, 'WITHSCORES')
    local full = redis.call('ZCARD', S .. 'backt') > 20000
    if not full and tonumber(oldest[2]) >= kept then break end
    forget_return(oldest[1])
  end
end
