-- Count objects of no known shape by their folders.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, how many folders are kept; then folders and how many objects
-- answer  nothing
-- twice   the token is kept: they count once
-- include: source, once

local token, most, key = ARGV[1], tonumber(ARGV[2]), S .. 'folders'
if remembered(token) then return end
for a = 3, #ARGV, 2 do
  local name, times = ARGV[a], ARGV[a + 1]
  local room = redis.call('HEXISTS', key, name) == 1 or redis.call('HLEN', key) < most
  redis.call('HINCRBY', key, room and name or 'others', times)
end
remember(token, 1)
