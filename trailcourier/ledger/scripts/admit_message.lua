-- Lease a message that was just received, and say which of its objects need work.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, message, receipt ('' for a retry), receives, visibility (ms), sent (ms), sender,
--         topic, spans, number of objects, how many others the message names, room in quarantine
--         (JSON), parked objects a bucket may have; then for each object: id, digest announced,
--         reference (JSON), bucket and account, verdict, entry's id, entry (JSON, '' without), '1'
--         if CloudTrail itself names it
-- answer  kind, bucket; where the message was leased also: indices that need work, how many were
--         delivered before, indices in quarantine already, indices that the verdict decides
-- twice   the lease keeps the token and answers for it; where there is none, the answer is kept
-- include: source, clock, ahead, once, count, marks, contents, holds, recent
-- include: noted, met, enter, leave, went_back, returned

local token, mid, handle, receives, visible, sent = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]),
  tonumber(ARGV[5]), tonumber(ARGV[6])
local sender, topic, spans, n, beside, most, parked = ARGV[7], ARGV[8], tonumber(ARGV[9]),
  tonumber(ARGV[10]), tonumber(ARGV[11]), cjson.decode(ARGV[12]), tonumber(ARGV[13])
local objects = {}
for at = 14, #ARGV, 8 do
  objects[#objects + 1] = {oid = ARGV[at], digest = ARGV[at + 1], ref = ARGV[at + 2],
    bucket = ARGV[at + 3], verdict = ARGV[at + 4], entry = ARGV[at + 5], json = ARGV[at + 6],
    vouched = ARGV[at + 7] == '1'}
end
local key, VOUCHED = S .. 'm:' .. mid, 3600000

-- What was answered when this lease was made, for a client whose answer was lost.
local function admission()
  local open, known, again, judged = {}, 0, {}, {}
  for i = 0, n - 1 do
    local outcome = redis.call('HGET', key, i .. ':o')
    if not outcome then open[#open + 1] = i
    elseif outcome == 'skipped:already-delivered' then known = known + 1
    elseif outcome == 'refused:quarantined' then again[#again + 1] = i
    elseif outcome == objects[i + 1].verdict then judged[#judged + 1] = i end
  end
  return {#open == 0 and 'settle' or 'work', '', open, known, again, judged}
end

local before = remembered(token)
if before then return before end
local held = redis.call('HMGET', key, 'c', 'o', 'ad')
if held[1] and held[3] == token then return admission() end
local queued = handle ~= ''
if queued then count('messages:received', 1) end
if held[1] then
  if receives >= tonumber(held[1]) then  -- of one count the later comer: no host's clock decides
    redis.call('HSET', key, 'h', handle, 'c', receives, 'r', NOW, 'u', NOW + visible)
    redis.call('ZADD', S .. 'leases', NOW + visible, mid)
  end
  count('messages:held-already', 1)
  return remember(token, {held[2] == '0' and 'finished' or 'held', ''})
end

local was, first
if queued then was, first = returned(mid, receives, sent) end
-- What CloudTrail itself has named within the hour is a log file, whatever others know of its key.
local function vouched(oid) return ahead(redis.call('GET', S .. 'vouched:' .. oid), VOUCHED) end
-- An object in quarantine is read anew when a new message names it: not by the one it came with.
local function stays(x, oid)
  if x.reason == 'unknown-key' and vouched(oid) then return false end
  return was == 'refused' or (queued and was ~= 'anew' and names(x, mid))
end
-- A notice that names no content may be of a newer one than was delivered.  Within the hour it is
-- taken for an announcement of the same; later only if it was here before that delivery.
local function delivered(oid, digest, x)
  local found, at = contents(oid, spans)
  if digest ~= '' then return holds(found, digest) end
  return found ~= '' and queued and not x
    and ((first and at + PART > first) or recent(at))
end
local out, again, enters, news = {}, 0, {}, false
for i, object in ipairs(objects) do
  local oid, verdict, entry = object.oid, object.verdict, object.entry
  local x = noted(entry)
  if object.vouched then
    redis.call('SET', S .. 'vouched:' .. oid, NOW + VOUCHED, 'PX', VOUCHED)
  end
  if x and stays(x, oid) then
    met(entry, x)
    out[i] = 'refused:quarantined'
  elseif delivered(oid, object.digest, x) then
    if x then leave(entry) end
    out[i] = 'skipped:already-delivered'
  elseif verdict ~= '' and not (verdict == 'refused:unknown-key' and vouched(oid)) then
    local refused = string.sub(verdict, 1, 7) == 'refused'
    news, enters[i] = news or refused, refused
    out[i] = refused and x and 'refused:quarantined' or verdict
  else
    news = true
  end
  if out[i] == 'refused:quarantined' then again = again + 1 end
end
if again > 0 and not news then
  went_back(mid, receives, sent, 1, first or NOW)
  count('messages:refused-before', 1)
  return remember(token, {'quarantined', ''})
end
for i, object in ipairs(queued and objects or {}) do
  if not out[i]
    and tonumber(redis.call('HGET', S .. 'buckets', object.bucket) or '0') >= parked then
    count('messages:full', 1)
    return remember(token, {'full', object.bucket})
  end
end
redis.call('HSET', key, 'h', handle, 'c', receives, 'r', NOW, 'u', NOW + visible, 'n', n,
  'sent', sent, 'f', first or NOW, 'ad', token, 'from', sender, 'topic', topic)
if queued then redis.call('ZADD', S .. 'leases', NOW + visible, mid) end
for at, object in ipairs(objects) do
  local i = at - 1
  redis.call('HSET', key, i .. ':id', object.oid, i .. ':e', object.digest, i .. ':r', object.ref,
    i .. ':b', object.bucket, i .. ':g', 1, i .. ':a', NOW)
  if out[at] then
    redis.call('HSET', key, i .. ':o', out[at])
    count('objects:' .. out[at], 1)
  end
  if enters[at] then
    enter(object.entry, object.json, {kind = 'object', ref = object.ref, message = mid,
      reason = string.match(object.verdict, ':(.*)$'), sender = sender, topic = topic}, most)
  end
end
redis.call('DEL', S .. 'failed:' .. mid)
count('objects:named', n + beside)
if beside > 0 then count('objects:skipped:non-create', beside) end
local answer = admission()
redis.call('HSET', key, 'o', #answer[3])
for _, i in ipairs(answer[3]) do redis.call('ZADD', S .. 'flight', NOW, mid .. '/' .. i) end
if #answer[3] == 0 then redis.call('ZADD', S .. 'done', NOW, mid) end
return answer
