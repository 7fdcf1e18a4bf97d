-- Say whether a sink's breaker opened because the sink rejects every record of some objects. It may
-- accept other objects.
-- include: fleet

local function rejects_all(name)
  return redis.call('HGET', G .. 'b:' .. name, 'reason') == 'sink-rejects-all'
end
