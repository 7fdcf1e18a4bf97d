-- Take out the entries that a delivery shows to be wrong: those of the contents delivered, and the
-- one of a notice that named no content.
-- include: source, leave

local function hexadecimal(bytes)
  return (string.gsub(bytes, '.', function(c) return string.format('%02x', string.byte(c)) end))
end
local function disprove(oid, digests)
  if redis.call('EXISTS', S .. 'q', S .. 'qx') == 0 then return end
  local name = hexadecimal(oid)
  leave(name)
  for at = 1, #digests, 4 do leave(name .. hexadecimal(string.sub(digests, at, at + 3))) end
end
