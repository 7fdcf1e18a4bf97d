-- Set one field of an object's state. For records that a sink has rejected when sent alone (a:),
-- also set when that was (r:), unless they were known before: those were rejected earlier. The time
-- is never before the sink's latest success, also where the broker's clock was set back.
-- include: fleet, clock

local function adds_any(list, known)
  local before = {}
  for _, each in ipairs(cjson.decode(known or '[]')) do before[each] = true end
  for _, each in ipairs(cjson.decode(list)) do
    if not before[each] then return true end
  end
  return false
end
local function set_state_field(state, name, value)
  if string.sub(name, 1, 2) == 'a:' then
    local last = 'r:' .. string.sub(name, 3)
    local at = tonumber(redis.call('HGET', state, last) or '') or math.huge
    -- later than now: the broker's clock was set back
    if at > NOW or adds_any(value, redis.call('HGET', state, name)) then
      local ok = redis.call('HGET', G .. 'ok', 'sink:' .. string.sub(name, 3))
      redis.call('HSET', state, last, math.max(NOW, tonumber(ok or '0')))
    end
  end
  redis.call('HSET', state, name, value)
end
