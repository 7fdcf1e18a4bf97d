-- Mark an object as delivered, with the digest of its content.
-- include: source, clock, marks, holds

local function mark(oid, digest, spans)
  local key = S .. 'd:' .. math.floor(NOW / SPAN) .. ':' .. shard(oid)
  local name = string.sub(oid, 2)
  local value = digests_in(redis.call('HGET', key, name) or '')
  if value == '' or not holds(value, digest) then value = string.sub(value .. digest, -32) end
  redis.call('HSET', key, name, value .. string.char(math.floor(NOW % SPAN / PART)))
  redis.call('PEXPIRE', key, SPAN * (spans + 1))
end
