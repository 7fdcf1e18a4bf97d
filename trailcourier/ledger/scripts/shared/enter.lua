-- Enter something in quarantine, and make room for it.
-- include: source, clock, count, noted, met

local function names(x, mid)
  for _, each in ipairs(x.messages) do
    if each == mid then return true end
  end
  return false
end
local function make_room(most)
  while redis.call('ZCARD', S .. 'qm') > most.messages do
    local oldest = redis.call('ZPOPMIN', S .. 'qm')[1]
    redis.call('HDEL', S .. 'q', oldest)
    redis.call('HDEL', S .. 'qx', oldest)
    count('quarantine:messages-forgotten', 1)
  end
  while redis.call('ZCARD', S .. 'qt') > most.details do
    local oldest = redis.call('ZPOPMIN', S .. 'qt')
    redis.call('HDEL', S .. 'q', oldest[1])
    redis.call('ZADD', S .. 'qe', oldest[2], oldest[1])
    count('quarantine:evicted', 1)
  end
  while redis.call('ZCARD', S .. 'qe') > most.remembered do
    redis.call('HDEL', S .. 'qx', redis.call('ZPOPMIN', S .. 'qe')[1])
    count('quarantine:forgotten', 1)
  end
end
-- Enter `new`, or meet what there is of it once more: kind, reason, ref, message, sender, topic.
-- Without a sender, both are those of the message's lease.
local function enter(id, json, new, most)
  local x = noted(id) or {first = NOW, times = 0, count = 0, messages = {}}
  local lease = redis.call('HMGET', S .. 'm:' .. new.message, 'h', 'from', 'topic')
  local in_queue = new.message ~= '' and lease[1] ~= ''  -- a retry's has no receipt
  if in_queue and not names(x, new.message) then
    x.count = x.count + 1
    x.messages[#x.messages + 1] = new.message
    if #x.messages > 5 then table.remove(x.messages, 1) end
  end
  x.sender = new.sender or lease[2] or x.sender or ''
  x.topic = new.topic or lease[3] or x.topic or ''
  x.kind, x.reason, x.ref = new.kind, new.reason, new.ref
  redis.call('HSET', S .. 'q', id, json)
  redis.call('ZREM', S .. 'qe', id)
  redis.call('ZADD', S .. (new.kind == 'message' and 'qm' or 'qt'), NOW, id)
  met(id, x)
  make_room(most)
end
