-- Remove an object from the parked ones, if it is parked.
-- include: source, fills_bucket

-- `parked` holds all of them by due time, and `p:<breaker>` those of one breaker ('' for none).
local function unpark_object(mid, i)
  local member = mid .. '/' .. i
  if redis.call('ZREM', S .. 'parked', member) == 0 then return end
  local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':p', i .. ':b')
  local scope, bucket = f[1] or '', f[2] or ''
  redis.call('ZREM', S .. 'p:' .. scope, member)
  if redis.call('EXISTS', S .. 'p:' .. scope) == 0 then redis.call('SREM', S .. 'scopes', scope) end
  if fills_bucket(scope) and redis.call('HINCRBY', S .. 'buckets', bucket, -1) < 1 then
    redis.call('HDEL', S .. 'buckets', bucket)
  end
end
