-- Whether it was noted that visibility cannot be changed.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    for how long that is true (ms)
-- answer  1 or 0
-- twice   it writes nothing
-- include: source, ahead

local life = tonumber(ARGV[1])
local deadline = string.match(redis.call('GET', S .. 'degraded') or '', '^(%d+)|')
return ahead(deadline, life) and 1 or 0
