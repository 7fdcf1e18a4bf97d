-- Note that visibility cannot be changed.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, for how long (ms)
-- answer  1 to who noted it first, else 0
-- twice   the key keeps the token: who was first is told so again
-- include: frees, source, ahead

local token, life = ARGV[1], tonumber(ARGV[2])
local deadline, first = string.match(redis.call('GET', S .. 'degraded') or '', '^(%d+)|(.*)$')
if ahead(deadline, life) then return first == token and 1 or 0 end
redis.call('SET', S .. 'degraded', string.format('%d|%s', NOW + life, token), 'PX', 2 * life)
return 1
