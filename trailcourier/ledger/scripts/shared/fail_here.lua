-- A failure that may be one host's own is that host's where others are at work, until a second
-- host that is at work fails alike.  The answer is the breaker that opened, and how the host's own
-- is called.
-- include: fleet, fail, is_open, open_breaker, close_breaker

local function fail_here(name, host, what, limit, reason, text, at_work)
  local own = name .. '@' .. host
  redis.call('SADD', G .. 'here:' .. host, own)
  if not fail(own, what, limit, reason, text) then return '', own end
  local alike = {}
  for _, other in ipairs(redis.call('SMEMBERS', G .. 'open')) do
    if string.sub(other, 1, #name + 1) == name .. '@' and at_work[string.sub(other, #name + 2)] then
      alike[#alike + 1] = other
    end
  end
  if #alike < 2 then return own, own end
  for _, other in ipairs(alike) do close_breaker(other) end
  if not is_open(name) then open_breaker(name, reason, text) end
  return name, own
end
