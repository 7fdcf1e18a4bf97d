-- How many more objects to take.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    objects in flight at most, and for each thread, heartbeat (ms), longest pause of a
--         breaker (ms), token; then breakers, the queue's first
-- answer  how many, and what holds the source up if few or none
-- twice   a probe is let through again with the token it was let through with; else nothing is
--         written
-- include: source, is_open, probes, alive_threads

local cap, per, alive = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local pause, token = tonumber(ARGV[4]), ARGV[5]
local flying, parked = redis.call('ZCARD', S .. 'flight'), redis.call('ZCARD', S .. 'parked')
for a = 6, #ARGV do
  if is_open(ARGV[a]) then
    local idle = flying == 0 and parked == 0
    if not ((a == 6 or idle) and probes(ARGV[a], pause, token)) then return {0, ARGV[a]} end
    return {1, ''}
  end
end
local threads = alive_threads(alive)
if threads == 0 then return {0, 'no-workers'} end
cap = math.min(cap, per * threads)
local room = cap - flying
return {math.max(room, 0), room < math.min(10, cap / 2) and 'in-flight' or ''}  -- ten: a receive
