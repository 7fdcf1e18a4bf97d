-- Take parked objects to retry now: those that are due, that a closed breaker released, or that
-- probe an open one. Puts them in flight again.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; number of objects at most; longest pause of a breaker (ms); longest wait of a
--         parked object (ms)
-- answer  for each: message; index; generation; reference (JSON)
-- twice   the answer is kept under the token for a minute and given again
-- include: fleet, source, clock, kept_answer, is_open, tries_others_first, take_probe
-- include: unpark_object, dispatch_again, split_member

local token, room, longest, last = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local before = recall_answer(token)
if before then return before end
local due, scopes = {}, redis.call('SMEMBERS', S .. 'scopes')
table.sort(scopes)

-- Count how many objects a closed breaker releases next: one, then two, four, ...  When it has just
-- closed, make its objects due in the order in which they were due.
local function count_released(scope)
  local closed = redis.call('HGET', G .. 'closed', scope)
  if closed and closed ~= redis.call('HGET', S .. 'released', scope) then
    local key = S .. 'p:' .. scope
    redis.call('HSET', S .. 'released', scope, closed, 'step:' .. scope, 1)
    redis.call('ZUNIONSTORE', key, 1, key, 'WEIGHTS', 0.000001)
  end
  return tonumber(redis.call('HGET', S .. 'released', 'step:' .. scope)) or room
end

local function pick_candidates(scope)
  local key = S .. 'p:' .. scope
  if scope ~= '' and is_open(scope) then
    local found = {}
    if tries_others_first(scope, longest) then return found end
    for _, member in ipairs(redis.call('ZRANGE', key, 0, math.min(room, 16) - 1)) do
      if not take_probe(scope, longest, token .. member) then break end
      local mid, i = split_member(member)
      redis.call('HSET', S .. 'm:' .. mid, i .. ':pb', scope)
      found[#found + 1] = member
    end
    return found
  end
  local step = scope == '' and room or count_released(scope)
  local found = redis.call('ZRANGEBYSCORE', key, '-inf', NOW, 'LIMIT', 0, math.min(step, room))
  if #found == 0 then  -- due later than any wait: the broker's clock was set back
    found = redis.call('ZRANGEBYSCORE', key, NOW + last, '+inf', 'LIMIT', 0, math.min(step, room))
  end
  if #found < step then redis.call('HDEL', S .. 'released', 'step:' .. scope)
  else redis.call('HSET', S .. 'released', 'step:' .. scope, step * 2) end
  return found
end

local turn = {}
local first = #scopes > 0 and redis.call('INCR', S .. 'turn') % #scopes or 0
for at = 1, #scopes do
  turn[at] = pick_candidates(scopes[(at + first - 1) % #scopes + 1])
end
local place, more = 1, true
while more and #due < room do
  more = false
  for _, found in ipairs(turn) do
    local member = found[place]
    if member and #due < room then
      more = true
      local mid, i = split_member(member)
      local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':r')
      unpark_object(mid, i)
      if f[1] then due[#due + 1] = dispatch_again(mid, i) end
    end
  end
  place = place + 1
end
return #due > 0 and keep_answer(token, due) or due
