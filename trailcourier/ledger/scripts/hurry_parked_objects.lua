-- Let every parked object be due now.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    none
-- answer  nothing
-- twice   they are due already, in the same order
-- include: source

for _, scope in ipairs(redis.call('SMEMBERS', S .. 'scopes')) do
  local key = S .. 'p:' .. scope
  redis.call('ZUNIONSTORE', key, 1, key, 'WEIGHTS', 0.000001)
end
