-- Parked objects to try again now: due, or released, or as probes of a breaker.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, how many at most, longest pause of a breaker (ms), longest wait of an object (ms)
-- answer  message, index, generation, reference of each
-- twice   the answer is kept
-- include: fleet, source, clock, once, is_open, others_first, probes, unpark, again, parts

local token, room, longest, last = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local before = remembered(token)
if before then return before end
local due, scopes = {}, redis.call('SMEMBERS', S .. 'scopes')
table.sort(scopes)

-- A closed breaker's objects are due in the order they were, a few at first.
local function released(scope)
  local closed = redis.call('HGET', G .. 'closed', scope)
  if closed and closed ~= redis.call('HGET', S .. 'released', scope) then
    local key = S .. 'p:' .. scope
    redis.call('HSET', S .. 'released', scope, closed, 'step:' .. scope, 1)
    redis.call('ZUNIONSTORE', key, 1, key, 'WEIGHTS', 0.000001)
  end
  return tonumber(redis.call('HGET', S .. 'released', 'step:' .. scope)) or room
end

local function candidates(scope)
  local key = S .. 'p:' .. scope
  if scope ~= '' and is_open(scope) then
    local found = {}
    if others_first(scope, longest) then return found end
    for _, member in ipairs(redis.call('ZRANGE', key, 0, math.min(room, 16) - 1)) do
      if not probes(scope, longest, token .. member) then break end
      local mid, i = parts(member)
      redis.call('HSET', S .. 'm:' .. mid, i .. ':pb', scope)
      found[#found + 1] = member
    end
    return found
  end
  local step = scope == '' and room or released(scope)
  local found = redis.call('ZRANGEBYSCORE', key, '-inf', NOW, 'LIMIT', 0, math.min(step, room))
  if #found == 0 then  -- due later than any wait: the broker's clock was put back
    found = redis.call('ZRANGEBYSCORE', key, NOW + last, '+inf', 'LIMIT', 0, math.min(step, room))
  end
  if #found < step then redis.call('HDEL', S .. 'released', 'step:' .. scope)
  else redis.call('HSET', S .. 'released', 'step:' .. scope, step * 2) end
  return found
end

local turn = {}
local first = #scopes > 0 and redis.call('INCR', S .. 'turn') % #scopes or 0
for at = 1, #scopes do
  turn[at] = candidates(scopes[(at + first - 1) % #scopes + 1])
end
local place, more = 1, true
while more and #due < room do
  more = false
  for _, found in ipairs(turn) do
    local member = found[place]
    if member and #due < room then
      more = true
      local mid, i = parts(member)
      local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':r')
      unpark(mid, i)
      if f[1] then due[#due + 1] = again(mid, i) end
    end
  end
  place = place + 1
end
return #due > 0 and remember(token, due) or due
