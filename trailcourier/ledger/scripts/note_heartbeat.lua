-- Say that a process is alive; forget those that are long gone.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    process, threads, presence (JSON), heartbeat (ms), for how long one that is gone is told
--         of (ms); then roles
-- answer  now (ms)
-- twice   a later time is set
-- include: frees, fleet, clock, slack

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
