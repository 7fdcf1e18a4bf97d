-- How messages stand; who is told to delete or leave one is alone in that for a while.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    for how long (ms), token; then messages
-- answer  for each: message, 'delete', 'leave', 'keep' or 'gone', receipt, receives, sent (ms)
-- twice   the lease keeps the token: who was told is told again
-- include: frees, source, ahead

local exclusive, token, answers = tonumber(ARGV[1]), ARGV[2], {}
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
    if final == tonumber(f[1]) and (asker == token or not ahead(deadline, exclusive)) then
      kind = refused and 'leave' or 'delete'
      redis.call('HSET', key, 'st', string.format('%d|%s', NOW + exclusive, token))
      redis.call('ZADD', S .. 'done', NOW, mid)
    end
    answers[#answers + 1] = {mid, kind, f[2], tonumber(f[3]), tonumber(f[5])}
  end
end
return answers
