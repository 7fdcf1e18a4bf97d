-- Take an entry out of quarantine.
-- include: source

local function leave(id)
  for _, set in ipairs({'qt', 'qe', 'qm'}) do redis.call('ZREM', S .. set, id) end
  redis.call('HDEL', S .. 'qx', id)
  return redis.call('HDEL', S .. 'q', id)
end
