-- Measure how many more objects a source may take.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    objects in flight at most; objects in flight for each thread; life of a heartbeat (ms);
--         longest pause of a breaker (ms); failures that open a breaker; token. Then breakers: the
--         queue's; this host's own of the queue; any others that stop the poll
-- answer  the number; what holds the source up, where it may take few or none ('' for nothing)
-- twice   a breaker keeps the token of its latest probe and lets it through again; nothing else is
--         written
-- include: source, clock, is_ahead, is_open, take_probe, probe_is_due, rejects_all
-- include: count_live_threads

local cap, per, alive = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local pause, failures = tonumber(ARGV[4]), tonumber(ARGV[5])
local token, queue, own = ARGV[6], ARGV[7], ARGV[8]
local flying, parked = redis.call('ZCARD', S .. 'flight'), redis.call('ZCARD', S .. 'parked')
local open = {}
for a = 7, #ARGV do
  if is_open(ARGV[a]) then open[#open + 1] = ARGV[a] end
end
-- Say whether a receive may bring a probe of a breaker: no parked object can probe it, or so few
-- that they may be at fault themselves, because they could not have opened it.  An object that is
-- received may not reach the open sink either, so this allows one receive in each pause.
local function may_receive_a_probe(name)
  if flying > 0 or redis.call('ZCARD', S .. 'p:' .. name) >= failures then return false end
  local key = G .. 'b:' .. name
  local f = redis.call('HMGET', key, 'received', 'receiver')
  if f[2] == token then return true end
  if is_ahead((tonumber(f[1]) or 0) + pause, pause) then return false end
  redis.call('HSET', key, 'received', NOW, 'receiver', token)
  return true
end
-- A receive is itself the probe of the queue's breaker.  For any other breaker, the object that the
-- receive brings takes the probe.
for _, name in ipairs(open) do
  local may
  if name == queue or name == own then may = take_probe(name, pause, token)
  else
    local idle = flying == 0 and parked == 0
    may = probe_is_due(name, pause, token)
      and (idle or rejects_all(name) or may_receive_a_probe(name))
  end
  if not may then return {0, name} end
end
if #open > 0 then return {1, ''} end
local threads = count_live_threads(alive)
if threads == 0 then return {0, 'no-workers'} end
cap = math.min(cap, per * threads)
local room = cap - flying
-- a receive brings ten messages
return {math.max(room, 0), room < math.min(10, cap / 2) and 'in-flight' or ''}
