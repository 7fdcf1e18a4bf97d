-- The format of delivery marks. The field for an object is its 12-byte id in one of 4,096 hashes
-- for each three days (SPAN), so small that Redis keeps them as listpacks; the first byte of the id
-- is part of the hash's name and left out of the field. The value is a 4-byte digest of each
-- content delivered, then one byte: in which 256th of the three days (PART) the latest delivery
-- was.

local SPAN, PART = 259200000, 1012500
local function get_shard(oid)
  return string.byte(oid, 1) * 16 + math.floor(string.byte(oid, 2) / 16)
end
local function get_digests(value) return string.sub(value, 1, #value - #value % 4) end
