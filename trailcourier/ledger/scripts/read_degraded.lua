-- Say whether the visibility of messages cannot be changed.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    how long a note of that holds (ms)
-- answer  1 or 0
-- twice   it writes nothing
-- include: source, is_ahead

local life = tonumber(ARGV[1])
local deadline = string.match(redis.call('GET', S .. 'degraded') or '', '^(%d+)|')
return is_ahead(deadline, life) and 1 or 0
