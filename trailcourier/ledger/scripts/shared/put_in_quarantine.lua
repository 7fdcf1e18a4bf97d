-- Put an entry into quarantine, and evict old entries beyond the limits `most`.
-- include: source, clock, add_to_sum, read_occurrences, note_occurrence

local function names_message(x, mid)
  for _, each in ipairs(x.messages) do
    if each == mid then return true end
  end
  return false
end
local function evict_oldest(most)
  while redis.call('ZCARD', S .. 'qm') > most.messages do
    local oldest = redis.call('ZPOPMIN', S .. 'qm')[1]
    redis.call('HDEL', S .. 'q', oldest)
    redis.call('HDEL', S .. 'qx', oldest)
    add_to_sum('quarantine:messages-forgotten', 1)
  end
  while redis.call('ZCARD', S .. 'qt') > most.details do
    local oldest = redis.call('ZPOPMIN', S .. 'qt')
    redis.call('HDEL', S .. 'q', oldest[1])
    redis.call('ZADD', S .. 'qe', oldest[2], oldest[1])
    add_to_sum('quarantine:evicted', 1)
  end
  while redis.call('ZCARD', S .. 'qe') > most.remembered do
    redis.call('HDEL', S .. 'qx', redis.call('ZPOPMIN', S .. 'qe')[1])
    add_to_sum('quarantine:forgotten', 1)
  end
end
-- Put `new` (kind, reason, ref, message, sender, topic) into quarantine, or count one more
-- occurrence of the entry.  Without sender or topic, those of the message's lease are used.
local function put_in_quarantine(id, json, new, most)
  local x = read_occurrences(id) or {first = NOW, times = 0, count = 0, messages = {}}
  local lease = redis.call('HMGET', S .. 'm:' .. new.message, 'h', 'from', 'topic')
  local in_queue = new.message ~= '' and lease[1] ~= ''  -- a retry has no receipt
  if in_queue and not names_message(x, new.message) then
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
  note_occurrence(id, x)
  evict_oldest(most)
end
