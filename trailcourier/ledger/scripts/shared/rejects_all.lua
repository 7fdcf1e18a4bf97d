-- Whether an open breaker is of a sink that rejects all it is sent of some objects: it may take
-- others.
-- include: fleet

local function rejects_all(name)
  return redis.call('HGET', G .. 'b:' .. name, 'reason') == 'sink-rejects-all'
end
