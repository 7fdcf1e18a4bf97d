-- List some parked objects of each breaker, the next due of each first.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    approximate number of objects
-- answer  for each: reference (JSON); reason; breaker; details
-- twice   it writes nothing
-- include: source, split_member

local most, found, scopes = tonumber(ARGV[1]), {}, redis.call('SMEMBERS', S .. 'scopes')
table.sort(scopes)
for at = #scopes, 1, -1 do  -- those that wait for no breaker last
  local scope, share = scopes[at], math.max(1, math.floor(most / #scopes))
  for _, member in ipairs(redis.call('ZRANGE', S .. 'p:' .. scope, 0, share - 1)) do
    local mid, i = split_member(member)
    local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':r', i .. ':pr', i .. ':pd')
    if f[1] then found[#found + 1] = {f[1], f[2] or 'breaker-open', scope, f[3] or ''} end
  end
end
return found
