-- Note that a step of the line completed just now.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    step
-- answer  nothing
-- twice   a second call sets a later time
-- include: runs_when_full, source, clock

local step = ARGV[1]
redis.call('HSET', S .. 'traces', step, string.format('%d', NOW))
