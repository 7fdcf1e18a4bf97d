-- Every open breaker, of any source.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    none
-- answer  name, since (ms), reason and text of each
-- twice   it writes nothing
-- include: fleet

local found = {}
for _, name in ipairs(redis.call('SMEMBERS', G .. 'open')) do
  local f = redis.call('HMGET', G .. 'b:' .. name, 'open', 'reason', 'text')
  if f[1] then found[#found + 1] = {name, tonumber(f[1]), f[2], f[3]} end
end
return found
