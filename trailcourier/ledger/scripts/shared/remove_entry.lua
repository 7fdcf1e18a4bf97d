-- Remove an entry from quarantine. Returns 1, or 0 where there were no details.
-- include: source

local function remove_entry(id)
  for _, set in ipairs({'qt', 'qe', 'qm'}) do redis.call('ZREM', S .. set, id) end
  redis.call('HDEL', S .. 'qx', id)
  return redis.call('HDEL', S .. 'q', id)
end
