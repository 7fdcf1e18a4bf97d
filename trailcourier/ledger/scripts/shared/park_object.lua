-- Park an object behind a breaker ('' for none) for `wait` milliseconds. `most` is the number of
-- parked objects its bucket may have; beyond it the message is noted as full.
-- include: source, clock, fills_bucket, unpark_object

local function park_object(mid, i, scope, wait, most)
  local key, member = S .. 'm:' .. mid, mid .. '/' .. i
  unpark_object(mid, i)
  redis.call('ZREM', S .. 'flight', member)
  redis.call('HSET', key, i .. ':p', scope, i .. ':pt', NOW)
  redis.call('ZADD', S .. 'parked', NOW + wait, member)
  redis.call('ZADD', S .. 'p:' .. scope, NOW + wait, member)
  redis.call('SADD', S .. 'scopes', scope)
  local bucket = redis.call('HGET', key, i .. ':b') or ''
  if fills_bucket(scope) and redis.call('HINCRBY', S .. 'buckets', bucket, 1) > most then
    redis.call('ZADD', S .. 'full', 'NX', NOW, mid)
  end
end
