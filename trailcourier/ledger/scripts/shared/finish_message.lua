-- Note that a message has no open object any more. Returns 1 where the caller must ask for a
-- settle. One settle serves all messages that finish at about the same time: the first caller asks
-- for it, for two seconds.
-- include: source, is_ahead

local function finish_message(mid, token)
  redis.call('ZADD', S .. 'done', 'NX', NOW, mid)
  local deadline, asker = string.match(redis.call('GET', S .. 'settling') or '', '^(%d+)|(.*)$')
  if is_ahead(deadline, 2000) then return asker == token and 1 or 0 end
  redis.call('SET', S .. 'settling', string.format('%d|%s', NOW + 2000, token), 'PX', 60000)
  return 1
end
