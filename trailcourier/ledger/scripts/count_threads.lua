-- How many objects all live workers together carry at once.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    heartbeat (ms)
-- answer  the number
-- twice   it writes nothing
-- include: alive_threads

local alive = tonumber(ARGV[1])
return alive_threads(alive)
