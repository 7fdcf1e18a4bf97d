-- Note how many messages wait in the queue, and what ends a message's life there.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    messages visible; how long that holds (ms); seconds a message is kept ('' unknown);
--         receives before the dead-letter queue ('' unknown)
-- answer  nothing
-- twice   a second call sets the same values
-- include: runs_when_full, source, clock

local visible, life, kept, receives = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
redis.call('HSET', S .. 'limits', 'kept', kept, 'receives', receives)
redis.call('SET', S .. 'depth', string.format('%d|%s', NOW + life, visible), 'PX', life * 2)
