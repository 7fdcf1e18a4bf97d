-- Take the poll lease of a slot, or extend it.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    slot; token; life (ms); '1' to extend it only if the caller holds it
-- answer  1, or 0 where another process holds it or it was released
-- twice   the lease names the token: its holder takes it once more
-- include: source, is_ahead

local slot, token, life, renews = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local key = S .. 'poll:' .. slot
local deadline, holder = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
if holder ~= token and (renews or is_ahead(deadline, life)) then return 0 end
redis.call('SET', key, string.format('%d|%s', NOW + life, token), 'PX', life + 60000)
return 1
