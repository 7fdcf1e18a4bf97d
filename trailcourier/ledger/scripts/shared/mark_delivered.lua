-- Mark an object as delivered, with the digest of its content. At most eight digests are kept.
-- include: source, clock, mark_format, has_digest

local function mark_delivered(oid, digest, spans)
  local key = S .. 'd:' .. math.floor(NOW / SPAN) .. ':' .. get_shard(oid)
  local name = string.sub(oid, 2)
  local value = get_digests(redis.call('HGET', key, name) or '')
  if value == '' or not has_digest(value, digest) then value = string.sub(value .. digest, -32) end
  redis.call('HSET', key, name, value .. string.char(math.floor(NOW % SPAN / PART)))
  redis.call('PEXPIRE', key, SPAN * (spans + 1))
end
