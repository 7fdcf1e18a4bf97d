-- Note that the visibility of messages cannot be changed.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; how long that holds (ms)
-- answer  1 to the caller that noted it first, else 0
-- twice   the key keeps the token of the first caller, and answers it 1 again
-- include: runs_when_full, source, is_ahead

local token, life = ARGV[1], tonumber(ARGV[2])
local deadline, first = string.match(redis.call('GET', S .. 'degraded') or '', '^(%d+)|(.*)$')
if is_ahead(deadline, life) then return first == token and 1 or 0 end
redis.call('SET', S .. 'degraded', string.format('%d|%s', NOW + life, token), 'PX', 2 * life)
return 1
