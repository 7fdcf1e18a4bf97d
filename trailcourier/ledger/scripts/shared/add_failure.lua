-- Count a failure of a breaker. Returns true where this failure opens it.
-- include: fleet, clock, is_open, set_open_cause, open_breaker

-- Say whether the failures counted are of two groups: one group alone has a narrower breaker.
local function has_two_groups(failures)
  local first = string.match(failures[1], '^(.-) ')
  for _, each in ipairs(failures) do
    if string.match(each, '^(.-) ') ~= first then return true end
  end
  return false
end
local function add_failure(name, what, limit, reason, text, group)
  local key = G .. 'b:' .. name .. ':f'
  redis.call('SADD', G .. 'failing', name)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', NOW - 3600000)
  redis.call('ZADD', key, NOW, (group or '') .. ' ' .. what)
  redis.call('ZREMRANGEBYRANK', key, 0, -1001)
  redis.call('PEXPIRE', key, 7200000)
  set_open_cause(name, reason, text)
  if is_open(name) then return false end
  if redis.call('ZCARD', key) < limit then return false end
  if (group or '') ~= '' and not has_two_groups(redis.call('ZRANGE', key, 0, -1)) then
    return false
  end
  open_breaker(name, reason, text)
  return true
end
