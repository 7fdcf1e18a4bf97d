-- When each step of the line last did its work.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    source
-- answer  now (ms), steps and times (as HGETALL), when any forward moved, when the oldest object in
--         flight was dispatched (nil without any), when the queue last answered a receive (nil if
--         it never did)
-- twice   it writes nothing
-- include: fleet, source, clock

local source = ARGV[1]
local oldest = redis.call('ZRANGE', S .. 'flight', 0, 0, 'WITHSCORES')[2]
local forward = redis.call('HGET', G .. 'seen', 'forward')
local received = redis.call('HGET', G .. 'ok', 'queue:' .. source)
return {NOW, redis.call('HGETALL', S .. 'traces'), forward, oldest and tonumber(oldest) or false,
  received and tonumber(received) or false}
