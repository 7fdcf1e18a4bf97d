-- Close a breaker and forget the failures it has counted. Returns true where it was open.
-- include: fleet, clock

local function close_breaker(name)
  redis.call('DEL', G .. 'b:' .. name .. ':f')
  redis.call('SREM', G .. 'failing', name)
  if redis.call('SREM', G .. 'open', name) == 0 then return false end
  redis.call('HDEL', G .. 'b:' .. name, 'open', 'reason', 'text', 'probe', 'prober', 'probes',
    'left', 'received', 'receiver')
  redis.call('HSET', G .. 'closed', name, NOW)
  return true
end
