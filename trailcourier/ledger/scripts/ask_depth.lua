-- Whether to ask the queue for its depth now; one caller is told so.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, time between two questions (ms)
-- answer  1 or 0
-- twice   the key keeps the token: who was told is told again
-- include: frees, source, ahead

local token, every = ARGV[1], tonumber(ARGV[2])
local key = S .. 'depth:asked'
local deadline, asker = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
if ahead(deadline, every) then return asker == token and 1 or 0 end
redis.call('SET', key, string.format('%d|%s', NOW + every, token), 'PX', every * 4)
return 1
