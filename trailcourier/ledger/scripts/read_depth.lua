-- Read how many messages waited in the queue at the latest sample.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    how long a sample holds (ms)
-- answer  the number, or nil without a sample that holds
-- twice   it writes nothing
-- include: source, is_ahead

local life = tonumber(ARGV[1])
local deadline, depth = string.match(redis.call('GET', S .. 'depth') or '', '^(%d+)|(.*)$')
return is_ahead(deadline, life) and depth or false
