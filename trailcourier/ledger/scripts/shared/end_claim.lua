-- End the claim on an object: what takes its place answers the same question once more.
-- include: source

local function end_claim(oid, token, answer)
  redis.call('SET', S .. 'c:' .. oid, '0|' .. token .. '|' .. cmsgpack.pack(answer), 'PX', 60000)
  return answer
end
