-- Read the part of a quarantine entry that changes with each occurrence. Returns nil where there is
-- no entry with this id.
-- include: source

local function read_occurrences(id)
  local packed = redis.call('HGET', S .. 'qx', id)
  return packed and cmsgpack.unpack(packed)
end
