-- Count objects whose keys have no known form, by folder; those beyond a number of folders count
-- as 'others'.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; number of folders to keep. Then for each folder: its name; number of objects
-- answer  nothing
-- twice   the token is kept for a minute: a second call changes nothing
-- include: source, kept_answer

local token, most, key = ARGV[1], tonumber(ARGV[2]), S .. 'folders'
if recall_answer(token) then return end
for a = 3, #ARGV, 2 do
  local name, times = ARGV[a], ARGV[a + 1]
  local room = redis.call('HEXISTS', key, name) == 1 or redis.call('HLEN', key) < most
  redis.call('HINCRBY', key, room and name or 'others', times)
end
keep_answer(token, 1)
