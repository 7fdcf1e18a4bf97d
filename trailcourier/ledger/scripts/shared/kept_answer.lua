-- Keep the answer of a script under its token for a minute. A client that lost the reply calls
-- again with the same token, and gets the same answer.
-- include: source

local function recall_answer(token)
  local answer = redis.call('GET', S .. 'once:' .. token)
  return answer and cmsgpack.unpack(answer)
end
local function keep_answer(token, answer)
  redis.call('SET', S .. 'once:' .. token, cmsgpack.pack(answer), 'PX', 60000)
  return answer
end
