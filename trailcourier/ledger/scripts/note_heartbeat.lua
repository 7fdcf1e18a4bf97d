-- Note that a process is alive, and remove processes that have been gone for long. Heartbeats that
-- lie in the future, because the broker's clock was set back, are dated as long past.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    process; threads; presence (JSON); life of a heartbeat (ms); how long a process that is
--         gone stays listed (ms). Then its roles
-- answer  now (ms)
-- twice   a second call sets a later time
-- include: runs_when_full, fleet, clock, heartbeat_slack

local name, threads, presence, alive, kept = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]),
  tonumber(ARGV[5])
local gone = string.format('%d', NOW - alive - 1)
local workers = redis.call('HGETALL', G .. 'workers')
for a = 1, #workers, 2 do
  local heard, rest = string.match(workers[a + 1], '^(%d+)(|%d+|.*)$')
  if not heard or NOW - tonumber(heard) > kept then redis.call('HDEL', G .. 'workers', workers[a])
  elseif tonumber(heard) > NOW + SLACK then
    redis.call('HSET', G .. 'workers', workers[a], gone .. rest)
  end
end
local seen = redis.call('HGETALL', G .. 'seen')
for a = 1, #seen, 2 do
  if tonumber(seen[a + 1]) > NOW + SLACK then redis.call('HSET', G .. 'seen', seen[a], gone) end
end
local now = string.format('%d', NOW)
redis.call('HSET', G .. 'workers', name, now .. '|' .. threads .. '|' .. presence)
for a = 6, #ARGV do redis.call('HSET', G .. 'seen', ARGV[a], now) end
return NOW
