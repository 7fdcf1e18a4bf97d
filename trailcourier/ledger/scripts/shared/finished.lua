-- A message has no open object any more: 1 where this script's caller is to ask for its settle.
-- One settle is for all messages that are finished at about the same time: the first asks for it.
-- include: source, ahead

local function finished(mid, token)
  redis.call('ZADD', S .. 'done', 'NX', NOW, mid)
  local deadline, asker = string.match(redis.call('GET', S .. 'settling') or '', '^(%d+)|(.*)$')
  if ahead(deadline, 2000) then return asker == token and 1 or 0 end
  redis.call('SET', S .. 'settling', string.format('%d|%s', NOW + 2000, token), 'PX', 60000)
  return 1
end
