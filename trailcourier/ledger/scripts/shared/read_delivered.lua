-- Read the digests of the contents delivered of an object, joined, and when the latest was
-- delivered (ms, to within 17 minutes; 0 for none).
-- include: source, clock, mark_format

local function read_delivered(oid, spans)
  local period, name, found, at = math.floor(NOW / SPAN), string.sub(oid, 2), '', 0
  -- A clock that was set back across the end of a period has left marks in the next one.
  local first = SPAN - NOW % SPAN < 86400000 and -1 or 0
  for back = first, spans do
    local value = redis.call('HGET', S .. 'd:' .. (period - back) .. ':' .. get_shard(oid), name)
    if value then
      if found == '' and #value % 4 == 1 then
        at = (period - back) * SPAN + string.byte(value, -1) * PART
      end
      found = found .. get_digests(value)
    end
  end
  return found, at
end
