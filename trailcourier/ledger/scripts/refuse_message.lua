-- Count an attempt at a message that failed, and put the message into quarantine once it has failed
-- a certain number of times.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; id of the entry; entry (JSON); limits of quarantine (JSON); reason; message;
--         receive count; SentTimestamp (ms); that number; sender; topic
-- answer  'new', 'before', 'failed' or 'held' (see Quarantine.set_aside); how often it has failed
-- twice   the answer is kept under the token for a minute; 'held' writes nothing
-- include: source, clock, kept_answer, add_to_sum, read_occurrences, note_occurrence
-- include: put_in_quarantine, note_return, read_return

local token, id, json, most = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local reason, mid, receives, sent, tries = ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]),
  tonumber(ARGV[9])
local sender, topic = ARGV[10], ARGV[11]
local before = recall_answer(token)
if before then return before end
if redis.call('EXISTS', S .. 'm:' .. mid) == 1 then return {'held', 0} end
add_to_sum('messages:received', 1)
local x = read_occurrences(id)
local was, first = read_return(mid, receives, sent)
if x and was == 'refused' then
  note_occurrence(id, x)
  note_return(mid, receives, sent, 1, first or NOW)
  add_to_sum('messages:refused-before', 1)
  return keep_answer(token, {'before', 0})
end
local failed = S .. 'failed:' .. mid
local times = redis.call('INCR', failed)
redis.call('PEXPIRE', failed, 1296000000)
if times < tries then
  add_to_sum('messages:failed', 1)
  return keep_answer(token, {'failed', times})
end
redis.call('DEL', failed)
put_in_quarantine(id, json, {kind = 'message', reason = reason, ref = '', message = mid,
  sender = sender, topic = topic}, most)
note_return(mid, receives, sent, 1, first or NOW)
add_to_sum('messages:refused:' .. reason, 1)
return keep_answer(token, {'new', times})
