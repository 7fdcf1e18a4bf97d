-- Note that a step of the line did its work just now.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    step
-- answer  nothing
-- twice   a later time is set
-- include: frees, source, clock

local step = ARGV[1]
redis.call('HSET', S .. 'traces', step, string.format('%d', NOW))
