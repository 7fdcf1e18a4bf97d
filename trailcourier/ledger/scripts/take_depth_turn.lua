-- Say whether the caller should ask the queue for its depth now; one caller in each period does.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; period (ms)
-- answer  1 or 0
-- twice   the key keeps the token of the caller that was answered 1, and answers it 1 again
-- include: runs_when_full, source, is_ahead

local token, every = ARGV[1], tonumber(ARGV[2])
local key = S .. 'depth:asked'
local deadline, asker = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
if is_ahead(deadline, every) then return asker == token and 1 or 0 end
redis.call('SET', key, string.format('%d|%s', NOW + every, token), 'PX', every * 4)
return 1
