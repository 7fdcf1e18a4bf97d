-- Give a task the claim on an object, or prolong it.
-- include: source, clock

local function hold_claim(oid, token, task, life)
  redis.call('SET', S .. 'c:' .. oid, string.format('%d|%s|%s', NOW + life, token, task),
    'PX', life + 600000)
end
