-- Give up the lease of who polls a source.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    slot, token
-- answer  nothing
-- twice   the lease is gone, or another's
-- include: frees, source

local slot, token = ARGV[1], ARGV[2]
local key = S .. 'poll:' .. slot
local _, holder = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
if holder == token then redis.call('DEL', key) end
