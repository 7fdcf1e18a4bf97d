-- How many messages waited when the queue was last asked.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    how long that is true (ms)
-- answer  the number, or nil where nobody knows
-- twice   it writes nothing
-- include: source, ahead

local life = tonumber(ARGV[1])
local deadline, depth = string.match(redis.call('GET', S .. 'depth') or '', '^(%d+)|(.*)$')
return ahead(deadline, life) and depth or false
