-- Read when each step of the line last completed.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    source
-- answer  now (ms); steps and times (as HGETALL, ms); when any forward moved (ms, nil if none did);
--         when the oldest object in flight was dispatched (ms, nil without any); when the queue
--         last answered a receive (ms, nil if it never did)
-- twice   it writes nothing
-- include: fleet, source, clock

local source = ARGV[1]
local oldest = redis.call('ZRANGE', S .. 'flight', 0, 0, 'WITHSCORES')[2]
local forward = redis.call('HGET', G .. 'seen', 'forward')
local received = redis.call('HGET', G .. 'ok', 'queue:' .. source)
return {NOW, redis.call('HGETALL', S .. 'traces'), forward, oldest and tonumber(oldest) or false,
  received and tonumber(received) or false}
