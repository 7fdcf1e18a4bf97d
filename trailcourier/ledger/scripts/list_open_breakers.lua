-- List every open breaker, of any source.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    none
-- answer  for each: name; when it opened (ms); reason; text
-- twice   it writes nothing
-- include: fleet

local found = {}
for _, name in ipairs(redis.call('SMEMBERS', G .. 'open')) do
  local f = redis.call('HMGET', G .. 'b:' .. name, 'open', 'reason', 'text')
  if f[1] then found[#found + 1] = {name, tonumber(f[1]), f[2], f[3]} end
end
return found
