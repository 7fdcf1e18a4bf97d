-- Give a task the claim on an object, or renew it, for `life` milliseconds.
-- include: source, clock

local function set_claim(oid, token, task, life)
  redis.call('SET', S .. 'c:' .. oid, string.format('%d|%s|%s', NOW + life, token, task),
    'PX', life + 600000)
end
