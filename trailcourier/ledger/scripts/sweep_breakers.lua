-- Remove failures that no longer count, and everything about hosts that are gone.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    none
-- answer  nothing
-- twice   a second call finds nothing to remove
-- include: runs_when_full, fleet, clock, is_open, close_breaker

local DAY = 86400000
local hosts = {}
for _, worker in ipairs(redis.call('HKEYS', G .. 'workers')) do
  hosts[string.match(worker, '@([^/]*)') or ''] = true
end
for _, name in ipairs(redis.call('SMEMBERS', G .. 'failing')) do
  local host = string.match(name, '@(.*)$')
  if host and not hosts[host] then
    close_breaker(name)
    redis.call('DEL', G .. 'here:' .. host)
  elseif not is_open(name) and redis.call('EXISTS', G .. 'b:' .. name .. ':f') == 0 then
    redis.call('SREM', G .. 'failing', name)
  end
end
for _, name in ipairs(redis.call('HKEYS', G .. 'ok')) do
  local host = string.match(name, '@(.*)$')
  if host and not hosts[host] then redis.call('HDEL', G .. 'ok', name) end
end
local closed = redis.call('HGETALL', G .. 'closed')
for at = 1, #closed, 2 do
  if math.abs(NOW - tonumber(closed[at + 1])) > DAY then
    redis.call('HDEL', G .. 'closed', closed[at])
  end
end
