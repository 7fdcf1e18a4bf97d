-- A message left to the queue, as it is known: its receipt, receives, bucket and account, and until
-- when somebody hands it back.
-- include: source

local function left_message(mid)
  local packed = redis.call('HGET', S .. 'left', mid)
  return packed and cmsgpack.unpack(packed)
end
