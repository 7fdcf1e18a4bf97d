-- The digests of what was delivered of an object, and when the latest was, within 17 minutes.
-- include: source, clock, marks

local function contents(oid, spans)
  local period, name, found, at = math.floor(NOW / SPAN), string.sub(oid, 2), '', 0
  -- A clock that was put back over the end of a period has left marks in the next one.
  local first = SPAN - NOW % SPAN < 86400000 and -1 or 0
  for back = first, spans do
    local value = redis.call('HGET', S .. 'd:' .. (period - back) .. ':' .. shard(oid), name)
    if value then
      if found == '' and #value % 4 == 1 then
        at = (period - back) * SPAN + string.byte(value, -1) * PART
      end
      found = found .. digests_in(value)
    end
  end
  return found, at
end
