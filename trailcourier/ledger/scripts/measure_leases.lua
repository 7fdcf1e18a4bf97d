-- Measure how old the oldest leased message is, and the most receives of any.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    none
-- answer  when the oldest was sent or, where SQS did not say, admitted (ms, 0 without any); the
--         highest receive count
-- twice   it writes nothing
-- include: source

local oldest, most = 0, 0
for _, mid in ipairs(redis.call('ZRANGE', S .. 'leases', 0, -1)) do
  local f = redis.call('HMGET', S .. 'm:' .. mid, 'sent', 'r', 'c')
  local since = tonumber(f[1] or '0') > 0 and tonumber(f[1]) or tonumber(f[2] or '0')
  if since > 0 and (oldest == 0 or since < oldest) then oldest = since end
  most = math.max(most, tonumber(f[3] or '0'))
end
return {oldest, most}
