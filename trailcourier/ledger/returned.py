"""Messages that went back to the queue: whether one that arrives was here before.

``back`` has ``receive count|SentTimestamp|1 if refused`` of each by its id, ``backt`` when that
was.  A source knows this of the newest 20,000; an older one that comes again is taken for a new
message, and read again.
"""

RETURNED = """
local function forget_return(mid)
  redis.call('HDEL', S .. 'back', mid)
  redis.call('ZREM', S .. 'backt', mid)
end
-- Note a message that the queue has again: *refused* is 1 for one that has a refused object, or is
-- refused itself; 0 for one that was not finished.
local function went_back(mid, count, sent, refused)
  redis.call('HSET', S .. 'back', mid, string.format('%d|%d|%d', count, sent, refused))
  redis.call('ZADD', S .. 'backt', NOW, mid)
  local kept = NOW - 1296000000  -- 15 days: SQS keeps no message for longer than 14
  for _ = 1, 3 do
    local oldest = redis.call('ZRANGE', S .. 'backt', 0, 0, 'WITHSCORES')
    local full = redis.call('ZCARD', S .. 'backt') > 20000
    if not full and tonumber(oldest[2]) >= kept then break end
    forget_return(oldest[1])
  end
end
-- How a message was here before: 'refused', 'unfinished', or nil.  'anew' if it was sent again
-- since under the same id, as some servers do that move it out of a dead-letter queue (SQS gives it
-- a new id): it is counted from one again, or has a newer SentTimestamp.  One that kept its count
-- would not be delivered: it has exceeded the maximum already.
local function returned(mid, count, sent)
  local was = redis.call('HGET', S .. 'back', mid)
  if not was then return nil end
  local count_then, sent_then, refused = string.match(was, '^(%d+)|(%d+)|(%d)$')
  if count <= tonumber(count_then) or sent > tonumber(sent_then) then return 'anew' end
  return refused == '1' and 'refused' or 'unfinished'
end
"""
