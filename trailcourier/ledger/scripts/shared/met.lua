-- Note that an entry of quarantine was met once more.
-- include: source, clock

local function met(id, x)
  x.last, x.times = NOW, x.times + 1
  redis.call('HSET', S .. 'qx', id, cmsgpack.pack(x))
  for _, set in ipairs({'qt', 'qe', 'qm'}) do redis.call('ZADD', S .. set, 'XX', NOW, id) end
end
