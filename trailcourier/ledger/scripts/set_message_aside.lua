-- Refuse a message, from a certain try on.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, entry's id, entry (JSON), room in quarantine (JSON), reason, message, receives,
--         sent (ms), that try, sender, topic
-- answer  'new', 'before', 'failed' or 'held', and how often it was tried
-- twice   the answer is kept; 'held' writes nothing
-- include: source, clock, once, count, noted, met, enter, went_back, returned

local token, id, json, most = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local reason, mid, receives, sent, tries = ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]),
  tonumber(ARGV[9])
local sender, topic = ARGV[10], ARGV[11]
local before = remembered(token)
if before then return before end
if redis.call('EXISTS', S .. 'm:' .. mid) == 1 then return {'held', 0} end
count('messages:received', 1)
local x = noted(id)
local was, first = returned(mid, receives, sent)
if x and was == 'refused' then
  met(id, x)
  went_back(mid, receives, sent, 1, first or NOW)
  count('messages:refused-before', 1)
  return remember(token, {'before', 0})
end
local failed = S .. 'failed:' .. mid
local times = redis.call('INCR', failed)
redis.call('PEXPIRE', failed, 1296000000)
if times < tries then
  count('messages:failed', 1)
  return remember(token, {'failed', times})
end
redis.call('DEL', failed)
enter(id, json, {kind = 'message', reason = reason, ref = '', message = mid,
  sender = sender, topic = topic}, most)
went_back(mid, receives, sent, 1, first or NOW)
count('messages:refused:' .. reason, 1)
return remember(token, {'new', times})
