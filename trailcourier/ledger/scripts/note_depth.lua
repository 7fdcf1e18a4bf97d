-- Note how many messages wait in the queue, and for how long it bears with them.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    messages visible, how long that is true (ms), seconds kept, receives ('' unknown)
-- answer  nothing
-- twice   the same values are set
-- include: frees, source, clock

local visible, life, kept, receives = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
redis.call('HSET', S .. 'limits', 'kept', kept, 'receives', receives)
redis.call('SET', S .. 'depth', string.format('%d|%s', NOW + life, visible), 'PX', life * 2)
