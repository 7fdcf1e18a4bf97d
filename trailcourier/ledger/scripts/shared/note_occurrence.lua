-- Note one more occurrence of a quarantine entry.
-- include: source, clock

local function note_occurrence(id, x)
  x.last, x.times = NOW, x.times + 1
  redis.call('HSET', S .. 'qx', id, cmsgpack.pack(x))
  for _, set in ipairs({'qt', 'qe', 'qm'}) do redis.call('ZADD', S .. set, 'XX', NOW, id) end
end
