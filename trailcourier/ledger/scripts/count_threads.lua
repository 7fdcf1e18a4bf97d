-- Count how many objects all live workers together forward at once.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    life of a heartbeat (ms)
-- answer  the number
-- twice   it writes nothing
-- include: count_live_threads

local alive = tonumber(ARGV[1])
return count_live_threads(alive)
