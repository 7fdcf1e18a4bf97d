-- Marks: the 12-byte name of the object in one of 4,096 small hashes per three days, so that Redis
-- keeps them as listpacks; its first byte is in the hash's name and need not be in the field.  The
-- value is a 4-byte digest of each content delivered, then one byte: in which 256th of the three
-- days the latest delivery was.

local SPAN, PART = 259200000, 1012500
local function shard(oid)
  return string.byte(oid, 1) * 16 + math.floor(string.byte(oid, 2) / 16)
end
local function digests_in(value) return string.sub(value, 1, #value - #value % 4) end
