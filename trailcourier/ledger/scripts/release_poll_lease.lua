-- Release the poll lease of a slot, if the caller holds it.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    slot; token
-- answer  nothing
-- twice   a second call finds no lease, or another process's, and leaves it
-- include: runs_when_full, source

local slot, token = ARGV[1], ARGV[2]
local key = S .. 'poll:' .. slot
local _, holder = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
if holder == token then redis.call('DEL', key) end
