-- The answer of a script that ran with this token, for a client whose answer was lost.
-- include: source

local function remembered(token)
  local answer = redis.call('GET', S .. 'once:' .. token)
  return answer and cmsgpack.unpack(answer)
end
local function remember(token, answer)
  redis.call('SET', S .. 'once:' .. token, cmsgpack.pack(answer), 'PX', 60000)
  return answer
end
