-- Note a success of each breaker, at the time `at` gives for it (ms) or now, and of `host` if
-- given. Returns the breakers that this closed. A success from before a breaker opened does not
-- close it, and one from before all failures of a closed breaker removes none. A success may be
-- reported long after it happened; for the failures since then nobody can say whether there was a
-- success between.
-- include: fleet, clock, is_open, close_breaker

local function opened_since(name, at)
  local since = tonumber(redis.call('HGET', G .. 'b:' .. name, 'open') or '0')
  return since > at and since <= NOW
end
local function clear_failures(name, at)
  if is_open(name) then return not opened_since(name, at) and close_breaker(name) end
  local first = redis.call('ZRANGE', G .. 'b:' .. name .. ':f', 0, 0, 'WITHSCORES')[2]
  first = tonumber(first or '0')
  -- later than now: the broker's clock was set back
  if first <= at or first > NOW then close_breaker(name) end
  return false
end
local function note_successes(names, host, at)
  local closed, ok = {}, {}
  if #names == 0 then return closed end
  for _, name in ipairs(names) do
    ok[#ok + 1] = name
    ok[#ok + 1] = at and at[name] or NOW
    if (host or '') ~= '' and string.sub(name, 1, 5) == 'sink:' then
      redis.call('HSET', G .. 'ok', name .. '@' .. host, ok[#ok])
    end
  end
  redis.call('HSET', G .. 'ok', unpack(ok))
  local failing = redis.call('SMISMEMBER', G .. 'failing', unpack(names))
  for place, name in ipairs(names) do
    if failing[place] == 1 and clear_failures(name, ok[2 * place]) then
      closed[#closed + 1] = name
    end
  end
  if (host or '') == '' or redis.call('EXISTS', G .. 'here:' .. host) == 0 then return closed end
  for place, name in ipairs(names) do
    local own = name .. '@' .. host
    if clear_failures(own, ok[2 * place]) then closed[#closed + 1] = own end
    if redis.call('SISMEMBER', G .. 'failing', own) == 0 then
      redis.call('SREM', G .. 'here:' .. host, own)
    end
  end
  return closed
end
