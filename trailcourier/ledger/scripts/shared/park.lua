-- Park an object behind a breaker, or behind none, for `wait` milliseconds.
-- include: source, clock, unpark

local function park(mid, i, scope, wait, most)
  local key, member = S .. 'm:' .. mid, mid .. '/' .. i
  unpark(mid, i)
  redis.call('ZREM', S .. 'flight', member)
  redis.call('HSET', key, i .. ':p', scope, i .. ':pt', NOW)
  redis.call('ZADD', S .. 'parked', NOW + wait, member)
  redis.call('ZADD', S .. 'p:' .. scope, NOW + wait, member)
  redis.call('SADD', S .. 'scopes', scope)
  local bucket = redis.call('HGET', key, i .. ':b') or ''
  if counts(scope) and redis.call('HINCRBY', S .. 'buckets', bucket, 1) > most then
    redis.call('ZADD', S .. 'full', 'NX', NOW, mid)
  end
end
