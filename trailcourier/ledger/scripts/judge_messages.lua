-- Say whether to delete each message, leave it to the queue, or keep it: 'keep' where an object is
-- open, or where another caller was told to delete or leave it less than that time ago.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    that time (ms); token. Then the messages
-- answer  for each: message; 'delete', 'leave', 'keep' or 'gone'; receipt; receive count;
--         SentTimestamp (ms)
-- twice   the lease keeps the token of the caller that was answered 'delete' or 'leave', and
--         answers it so again
-- include: runs_when_full, source, is_ahead

local reserved_for, token, answers = tonumber(ARGV[1]), ARGV[2], {}
for a = 3, #ARGV do
  local mid = ARGV[a]
  local key = S .. 'm:' .. mid
  local f = redis.call('HMGET', key, 'n', 'h', 'c', 'st', 'sent')
  if not f[1] then
    answers[#answers + 1] = {mid, 'gone', '', 0, 0}
  else
    local final, refused = 0, false
    for i = 0, tonumber(f[1]) - 1 do
      local o = redis.call('HGET', key, i .. ':o')
      if o then
        final = final + 1
        refused = refused or string.sub(o, 1, 7) == 'refused'
      end
    end
    local kind = 'keep'
    local deadline, asker = string.match(f[4] or '', '^(%d+)|(.*)$')
    if final == tonumber(f[1]) and (asker == token or not is_ahead(deadline, reserved_for)) then
      kind = refused and 'leave' or 'delete'
      redis.call('HSET', key, 'st', string.format('%d|%s', NOW + reserved_for, token))
      redis.call('ZADD', S .. 'done', NOW, mid)
    end
    answers[#answers + 1] = {mid, kind, f[2], tonumber(f[3]), tonumber(f[5])}
  end
end
return answers
