-- Make every parked object due now, in the order in which they were due.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    none
-- answer  nothing
-- twice   the objects are due already, and keep their order
-- include: source

for _, scope in ipairs(redis.call('SMEMBERS', S .. 'scopes')) do
  local key = S .. 'p:' .. scope
  redis.call('ZUNIONSTORE', key, 1, key, 'WEIGHTS', 0.000001)
end
