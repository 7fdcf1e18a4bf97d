-- Put a tick into the control workers' queue, unless enough ticks of its kind wait there.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    queue; tick; the part of its message before the time it was sent; the part after it;
--         number of ticks that may wait
-- answer  1, or 0 where enough wait
-- twice   the part before the time has an id of its own, by which a tick that was sent already is
--         found
-- include: runs_when_full, source, clock

local queue, sent, before, after = ARGV[1], S .. 'ticks:' .. ARGV[2], ARGV[3], ARGV[4]
local most = tonumber(ARGV[5])
redis.call('LTRIM', sent, 0, most - 1)
redis.call('HSET', S .. 'traces', 'tick', string.format('%d', NOW))
for _, tick in ipairs(redis.call('LRANGE', sent, 0, -1)) do
  if string.sub(tick, 1, #before) == before then return 1 end  -- sent: the reply was lost
  if not redis.call('LPOS', queue, tick) then redis.call('LREM', sent, 1, tick) end
end
if redis.call('LLEN', sent) >= most then return 0 end
local tick = before .. string.format('%d', NOW) .. after
redis.call('LPUSH', sent, tick)
redis.call('LPUSH', queue, tick)
return 1
