-- Lease a message that was just received, and say which of its objects need work.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; message; receipt ('' for a retry); receive count; visibility (ms); SentTimestamp
--         (ms); sender; topic; periods of three days that marks are kept for; number of objects;
--         number of S3 events in the message that are not about a created object; limits of
--         quarantine (JSON); parked objects a bucket may have. Then for each object: id; digest of
--         the content announced ('' for none); reference (JSON); bucket and account; verdict (''
--         where it must be read); id of its quarantine entry; that entry (JSON, '' for none); '1'
--         if it is read only because CloudTrail's own notification names it
-- answer  kind (see Admitted in admission.py); bucket. Where the message is leased now also:
--         indices that need work; number of objects delivered before; indices in quarantine
--         already; indices that end with their verdict
-- twice   the lease keeps the token, and a second call answers from the lease; where there is no
--         lease, the answer is kept under the token for a minute
-- include: source, clock, is_ahead, kept_answer, add_to_sum, mark_format, read_delivered
-- include: has_digest, is_recent, read_occurrences, note_occurrence, put_in_quarantine
-- include: remove_entry, note_return, read_return

local token, mid, handle, receives, visible, sent = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]),
  tonumber(ARGV[5]), tonumber(ARGV[6])
local sender, topic, spans, n, non_create, most, parked = ARGV[7], ARGV[8], tonumber(ARGV[9]),
  tonumber(ARGV[10]), tonumber(ARGV[11]), cjson.decode(ARGV[12]), tonumber(ARGV[13])
local objects = {}
for at = 14, #ARGV, 8 do
  objects[#objects + 1] = {oid = ARGV[at], digest = ARGV[at + 1], ref = ARGV[at + 2],
    bucket = ARGV[at + 3], verdict = ARGV[at + 4], entry = ARGV[at + 5], json = ARGV[at + 6],
    any_form = ARGV[at + 7] == '1'}
end
local key, ANY_FORM = S .. 'm:' .. mid, 3600000

-- Rebuild the answer given when this lease was made, for a client that lost the reply.
local function rebuild_answer()
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

local before = recall_answer(token)
if before then return before end
local held = redis.call('HMGET', key, 'c', 'o', 'ad')
if held[1] and held[3] == token then return rebuild_answer() end
local queued = handle ~= ''
if queued then add_to_sum('messages:received', 1) end
if held[1] then
  if receives >= tonumber(held[1]) then  -- of equal counts the later call: no host's clock decides
    redis.call('HSET', key, 'h', handle, 'c', receives, 'r', NOW, 'u', NOW + visible)
    redis.call('ZADD', S .. 'leases', NOW + visible, mid)
  end
  add_to_sum('messages:held-already', 1)
  return keep_answer(token, {held[2] == '0' and 'finished' or 'held', ''})
end

local was, first
if queued then was, first = read_return(mid, receives, sent) end
-- Whatever its key looks like, an object is a log file if CloudTrail's own notification named it
-- within the hour.
local function accepts_any_form(oid)
  return is_ahead(redis.call('GET', S .. 'any-form:' .. oid), ANY_FORM)
end
-- An object in quarantine is read again when a new message names it, not the one it came with.
local function stays_refused(x, oid)
  if x.reason == 'unknown-key' and accepts_any_form(oid) then return false end
  return was == 'refused' or (queued and was ~= 'sent-again' and names_message(x, mid))
end
-- A notification that names no content may announce a newer one than was delivered.  Within an hour
-- of the delivery it counts as announcing the same content; later only if the message was admitted
-- before that delivery.
local function was_delivered(oid, digest, x)
  local found, at = read_delivered(oid, spans)
  if digest ~= '' then return has_digest(found, digest) end
  return found ~= '' and queued and not x
    and ((first and at + PART > first) or is_recent(at))
end
local out, again, enters, news = {}, 0, {}, false
for i, object in ipairs(objects) do
  local oid, verdict, entry = object.oid, object.verdict, object.entry
  local x = read_occurrences(entry)
  if object.any_form then
    redis.call('SET', S .. 'any-form:' .. oid, NOW + ANY_FORM, 'PX', ANY_FORM)
  end
  if x and stays_refused(x, oid) then
    note_occurrence(entry, x)
    out[i] = 'refused:quarantined'
  elseif was_delivered(oid, object.digest, x) then
    if x then remove_entry(entry) end
    out[i] = 'skipped:already-delivered'
  elseif verdict ~= '' and not (verdict == 'refused:unknown-key' and accepts_any_form(oid)) then
    local refused = string.sub(verdict, 1, 7) == 'refused'
    news, enters[i] = news or refused, refused
    out[i] = refused and x and 'refused:quarantined' or verdict
  else
    news = true
  end
  if out[i] == 'refused:quarantined' then again = again + 1 end
end
if again > 0 and not news then
  note_return(mid, receives, sent, 1, first or NOW)
  add_to_sum('messages:refused-before', 1)
  return keep_answer(token, {'quarantined', ''})
end
for i, object in ipairs(queued and objects or {}) do
  if not out[i]
    and tonumber(redis.call('HGET', S .. 'buckets', object.bucket) or '0') >= parked then
    add_to_sum('messages:full', 1)
    return keep_answer(token, {'full', object.bucket})
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
    add_to_sum('objects:' .. out[at], 1)
  end
  if enters[at] then
    put_in_quarantine(object.entry, object.json, {kind = 'object', ref = object.ref, message = mid,
      reason = string.match(object.verdict, ':(.*)$'), sender = sender, topic = topic}, most)
  end
end
redis.call('DEL', S .. 'failed:' .. mid)
add_to_sum('objects:named', n + non_create)
if non_create > 0 then add_to_sum('objects:skipped:non-create', non_create) end
local answer = rebuild_answer()
redis.call('HSET', key, 'o', #answer[3])
for _, i in ipairs(answer[3]) do redis.call('ZADD', S .. 'flight', NOW, mid .. '/' .. i) end
if #answer[3] > 0 then return answer end
redis.call('ZADD', S .. 'done', NOW, mid)
return keep_answer(token, answer)  -- the lease may be settled and gone before a second call
