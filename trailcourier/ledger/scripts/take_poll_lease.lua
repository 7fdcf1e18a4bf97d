-- Take the lease of who polls a source, or hold it for longer.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    slot, token, life (ms), '1' to renew it: then only its holder gets it
-- answer  1 or 0
-- twice   it names the token: its holder takes it once more
-- include: source, ahead

local slot, token, life, renews = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local key = S .. 'poll:' .. slot
local deadline, holder = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
if holder ~= token and (renews or ahead(deadline, life)) then return 0 end
redis.call('SET', key, string.format('%d|%s', NOW + life, token), 'PX', life + 60000)
return 1
