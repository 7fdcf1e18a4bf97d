-- What changes of an entry in quarantine, if there is one of this name.
-- include: source

local function noted(id)
  local packed = redis.call('HGET', S .. 'qx', id)
  return packed and cmsgpack.unpack(packed)
end
