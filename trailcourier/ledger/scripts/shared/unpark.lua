-- Take an object out of those that are parked.
-- include: source

-- Parked objects: by their due time, all together and for each breaker that they wait for ('' for
-- none).  Those beyond `most` of one bucket and account are not held: their message is left to the
-- queue.  What waits for a sink or for credentials does not count: nothing is received then.
local function counts(scope)
  local kind = string.match(scope, '^[^:]*')
  return kind ~= 'sink' and kind ~= 'credentials'
end
local function unpark(mid, i)
  local member = mid .. '/' .. i
  if redis.call('ZREM', S .. 'parked', member) == 0 then return end
  local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':p', i .. ':b')
  local scope, bucket = f[1] or '', f[2] or ''
  redis.call('ZREM', S .. 'p:' .. scope, member)
  if redis.call('EXISTS', S .. 'p:' .. scope) == 0 then redis.call('SREM', S .. 'scopes', scope) end
  if counts(scope) and redis.call('HINCRBY', S .. 'buckets', bucket, -1) < 1 then
    redis.call('HDEL', S .. 'buckets', bucket)
  end
end
