-- End the claim on an object, and keep the answer in its key for a minute: a second call with the
-- same token gets it. A client whose reply was lost repeats its call within seconds.
-- include: source

local function end_claim(oid, token, answer)
  redis.call('SET', S .. 'c:' .. oid, '0|' .. token .. '|' .. cmsgpack.pack(answer), 'PX', 60000)
  return answer
end
