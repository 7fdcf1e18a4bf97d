-- How many more objects to take.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    objects in flight at most, and for each thread, heartbeat (ms), longest pause of a
--         breaker (ms), token; then breakers: the queue's, this host's own of the queue, others
-- answer  how many, and what holds the source up if few or none
-- twice   a probe is let through again with the token it was let through with; else nothing is
--         written
-- include: source, is_open, probes, probe_is_due, rejects_all, alive_threads

local cap, per, alive = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local pause, token, queue, own = tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
local flying, parked = redis.call('ZCARD', S .. 'flight'), redis.call('ZCARD', S .. 'parked')
local open = {}
for a = 6, #ARGV do
  if is_open(ARGV[a]) then open[#open + 1] = ARGV[a] end
end
-- A receive is a probe of the queue.  Of a sink it is none: the object it brings takes that probe.
local idle = flying == 0 and parked == 0
for _, name in ipairs(open) do
  local may
  if name == queue or name == own then may = probes(name, pause, token)
  else may = (idle or rejects_all(name)) and probe_is_due(name, pause, token) end
  if not may then return {0, name} end
end
if #open > 0 then return {1, ''} end
local threads = alive_threads(alive)
if threads == 0 then return {0, 'no-workers'} end
cap = math.min(cap, per * threads)
local room = cap - flying
return {math.max(room, 0), room < math.min(10, cap / 2) and 'in-flight' or ''}  -- ten: a receive
