-- Remove the quarantine entries that a delivery proves wrong: those of the contents delivered, and
-- the one of a notification that named no content.
-- include: source, remove_entry

local function to_hex(bytes)
  return (string.gsub(bytes, '.', function(c) return string.format('%02x', string.byte(c)) end))
end
local function remove_disproved_entries(oid, digests)
  if redis.call('EXISTS', S .. 'q', S .. 'qx') == 0 then return end
  local name = to_hex(oid)
  remove_entry(name)
  for at = 1, #digests, 4 do remove_entry(name .. to_hex(string.sub(digests, at, at + 3))) end
end
