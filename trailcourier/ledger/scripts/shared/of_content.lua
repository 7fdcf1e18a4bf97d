-- Start a new record of progress for this etag; discard progress kept for any other.

local function of_content(state, etag)
  if redis.call('HGET', state, 'e') == etag then return end
  for _, name in ipairs(redis.call('HKEYS', state)) do
    if name == 'n' or string.find(name, '^[pj]:') then redis.call('HDEL', state, name) end
  end
  redis.call('HSET', state, 'e', etag)
end
