-- Read what is remembered of a message left to the queue: receipt (handle), receive count, bucket
-- and account, and until when it is reserved for a caller (asked). Returns nil for an unknown one.
-- include: source

local function read_left_message(mid)
  local packed = redis.call('HGET', S .. 'left', mid)
  return packed and cmsgpack.unpack(packed)
end
