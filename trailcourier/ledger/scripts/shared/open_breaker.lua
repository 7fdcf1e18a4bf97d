-- Open a breaker.
-- include: fleet, clock

local function open_breaker(name, reason, text)
  redis.call('SADD', G .. 'open', name)
  redis.call('SADD', G .. 'failing', name)
  redis.call('HSET', G .. 'b:' .. name, 'open', NOW, 'probe', NOW, 'prober', '', 'probes', 0,
    'left', 0, 'reason', reason, 'text', text)
end
