-- Put an object in flight again, under its next generation. Returns what to dispatch: message,
-- index, generation and reference.
-- include: source, clock

local function dispatch_again(mid, i)
  local key = S .. 'm:' .. mid
  local gen = redis.call('HINCRBY', key, i .. ':g', 1)
  redis.call('HSET', key, i .. ':a', NOW)
  redis.call('HDEL', key, i .. ':k')
  redis.call('ZADD', S .. 'flight', NOW, mid .. '/' .. i)
  return {mid, tonumber(i), gen, redis.call('HGET', key, i .. ':r')}
end
