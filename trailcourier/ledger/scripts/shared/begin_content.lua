-- Start a new record of progress for this etag; discard progress kept for any other.
-- include: delete_fields

local function begin_content(state, etag)
  if redis.call('HGET', state, 'e') == etag then return end
  redis.call('HDEL', state, 'n')
  delete_fields(state, '^[acjlopr]:')
  redis.call('HSET', state, 'e', etag)
end
