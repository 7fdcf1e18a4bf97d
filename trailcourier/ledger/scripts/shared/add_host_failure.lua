-- Count a failure that may be one host's own. It counts for that host's breaker alone, until a
-- second live host's breaker is open too and both have counted as many distinct objects as open a
-- breaker: one object may fail on every host by itself. Then the common breaker opens in their
-- place. Returns the breaker that opened ('' for none) and the name of the host's own.
-- include: fleet, add_failure, is_open, set_open_cause, open_breaker, close_breaker

local function count_distinct_objects(names)
  local objects, number = {}, 0
  for _, name in ipairs(names) do
    for _, each in ipairs(redis.call('ZRANGE', G .. 'b:' .. name .. ':f', 0, -1)) do
      local object = string.match(each, '^(.*)/try/') or each
      if not objects[object] then objects[object], number = true, number + 1 end
    end
  end
  return number
end
local function add_host_failure(name, host, what, limit, reason, text, at_work)
  local own = name .. '@' .. host
  redis.call('SADD', G .. 'here:' .. host, own)
  local opens = add_failure(own, what, limit, reason, text)
  set_open_cause(name, reason, text)
  if not is_open(own) then return '', own end
  local alike = {}
  for _, other in ipairs(redis.call('SMEMBERS', G .. 'open')) do
    if string.sub(other, 1, #name + 1) == name .. '@' and at_work[string.sub(other, #name + 2)] then
      alike[#alike + 1] = other
    end
  end
  if #alike < 2 or count_distinct_objects(alike) < limit then return opens and own or '', own end
  for _, other in ipairs(alike) do close_breaker(other) end
  if is_open(name) then return '', own end
  open_breaker(name, reason, text)
  return name, own
end
