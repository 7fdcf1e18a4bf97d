-- Count a failure; true where this one opens the breaker.
-- include: fleet, clock, is_open, open_breaker

-- Whether failures are counted of objects of two groups: those of one have a narrower breaker.
local function of_two(failures)
  local first = string.match(failures[1], '^(.-) ')
  for _, each in ipairs(failures) do
    if string.match(each, '^(.-) ') ~= first then return true end
  end
  return false
end
local function fail(name, what, limit, reason, text, group)
  local key = G .. 'b:' .. name .. ':f'
  redis.call('SADD', G .. 'failing', name)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', NOW - 3600000)
  redis.call('ZADD', key, NOW, (group or '') .. ' ' .. what)
  redis.call('ZREMRANGEBYRANK', key, 0, -1001)
  redis.call('PEXPIRE', key, 7200000)
  if is_open(name) or redis.call('ZCARD', key) < limit then return false end
  if (group or '') ~= '' and not of_two(redis.call('ZRANGE', key, 0, -1)) then return false end
  open_breaker(name, reason, text)
  return true
end
