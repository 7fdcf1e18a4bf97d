-- Note a success, now or `ago` milliseconds ago; the answer is which of the breakers it closed.
-- One from before a breaker opened does not close it.
-- include: fleet, clock, close_breaker

local function opened_since(name, at)
  local since = tonumber(redis.call('HGET', G .. 'b:' .. name, 'open') or '0')
  return since > at and since <= NOW
end
local function succeed(names, host, ago)
  local closed, ok = {}, {}
  if #names == 0 then return closed end
  for _, name in ipairs(names) do
    ok[#ok + 1] = name
    ok[#ok + 1] = NOW - (ago and ago[name] or 0)
  end
  redis.call('HSET', G .. 'ok', unpack(ok))
  local failing = redis.call('SMISMEMBER', G .. 'failing', unpack(names))
  for at, name in ipairs(names) do
    if failing[at] == 1 and not opened_since(name, ok[2 * at]) and close_breaker(name) then
      closed[#closed + 1] = name
    end
  end
  if (host or '') == '' or redis.call('EXISTS', G .. 'here:' .. host) == 0 then return closed end
  for at, name in ipairs(names) do
    local own = name .. '@' .. host
    if not opened_since(own, ok[2 * at]) and redis.call('SREM', G .. 'here:' .. host, own) == 1
      and close_breaker(own) then closed[#closed + 1] = own end
  end
  return closed
end
