-- Write the outcome of an object, with everything that follows from it: progress, sums, delivery
-- marks, breakers, parking, quarantine. A fault whose reason allows only so many tries is parked
-- until the last one, and then refused.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    message; index; id; token of the claim; facts (JSON, see Outcomes._facts); increments of
--         counters (JSON); periods of three days that marks are kept for; digests delivered; etag;
--         id of the object's quarantine entry; the object's marks when it was claimed; the
--         quarantine entry (JSON, '' for none); reference (JSON); limits of quarantine (JSON)
-- answer  status; reason; 1 to ask for a settle; breaker opened; breakers closed; this host's own
--         breaker that is open; of a final outcome also 1 if the object was in quarantine before.
--         Or 'stale' alone: another task has overtaken the claim, and nothing was written
-- twice   the key of the claim keeps the token and the answer for a minute, and a second call gets
--         this answer; 'stale' if another claim has replaced it
-- include: runs_when_full, fleet, source, clock, add_to_sum, note_seen, read_claim, end_claim
-- include: may_write, begin_content, set_state_field, delete_fields, mark_delivered, is_open
-- include: set_open_cause, add_failure, add_host_failure, note_successes, fills_bucket
-- include: unpark_object, park_object, finish_message, read_occurrences, put_in_quarantine
-- include: remove_disproved_entries, find_live_hosts

-- Say whether a bucket is among these successes: S3 may answer without returning the object.
local function has_bucket_success(succeeded)
  for _, name in ipairs(succeeded) do
    if string.sub(name, 1, 7) == 'bucket:' then return true end
  end
  return false
end

local mid, i, oid, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local facts, sums = cjson.decode(ARGV[5]), cjson.decode(ARGV[6])
local spans, digests, etag = tonumber(ARGV[7]), ARGV[8], ARGV[9]
local entry_id, known, entry_json, ref, most = ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14]
local claim = read_claim(oid)
-- a second call: the reply was lost
if claim and claim.ended and claim.token == token then return cmsgpack.unpack(claim.rest) end
if not may_write(mid, i, oid, token, known, spans) then return {'stale'} end
note_seen('forward')
local key, state, member = S .. 'm:' .. mid, S .. 'o:' .. oid, mid .. '/' .. i
local leased = redis.call('HEXISTS', key, i .. ':r') == 1
local probed = leased and redis.call('HGET', key, i .. ':pb')
if probed then
  redis.call('HDEL', key, i .. ':pb')
  -- this object was the probe of a breaker; that it was read shows that its KMS key works
  if string.sub(probed, 1, 4) == 'kms:' and has_bucket_success(facts.succeeded) then
    table.insert(facts.succeeded, probed)
  end
end
local closed = note_successes(facts.succeeded, facts.host, facts.succeeded_at)
local status, reason, opened, host_breaker = facts.status, facts.reason, '', ''
if status == 'pending' then
  redis.call('HINCRBY', state, 's', -1)  -- the worker stops: not a start without an end
end
if etag ~= '' then begin_content(state, etag) end
for name, value in pairs(facts.state) do set_state_field(state, name, value) end
if status == 'pending' then
  return end_claim(oid, token, {'pending', reason, 0, '', closed, ''})
end

-- Park the object for another try, unless this was the last one that its reason allows.
if status == 'parked' or (status == 'refused' and facts.most_tries > 0) then
  local was = redis.call('HMGET', state, 'tr', 't', 'ft')
  local tries = was[1] == reason and tonumber(was[2]) + 1 or 1
  local first = was[1] == reason and tonumber(was[3]) or NOW
  redis.call('HSET', state, 'tr', reason, 't', tries, 'ft', first, 's', 0)
  redis.call('PEXPIRE', state, 1296000000)
  local narrowest = facts.breakers[1] and facts.breakers[1].name
  local others_succeeded = true
  if facts.needs_success then
    local ok = tonumber(redis.call('HGET', G .. 'ok', narrowest) or '0')
    others_succeeded = ok > first and ok <= NOW  -- later than now: the broker's clock was set back
  end
  if facts.most_tries > 0 and tries >= facts.most_tries and others_succeeded then
    status = 'refused'
  else
    status = 'parked'
    add_to_sum('parked:' .. reason, 1)
    local waits_for = narrowest or facts.waits_for
    set_open_cause(facts.waits_for, reason, facts.text)
    local hosts, at_work = find_live_hosts(facts.heartbeat_life, 'objects')
    for _, each in ipairs(facts.breakers) do
      if each.here and facts.host ~= '' and hosts > 1 then
        -- count every failure that is not the object's fault: otherwise this host could retry one
        -- object for hours
        local of_host = string.sub(each.name, 1, 5) == 'sink:' and reason ~= 'sink-rejects-all'
        local what = of_host and oid .. '/try/' .. token or oid
        local name, own = add_host_failure(each.name, facts.host, what, facts.failures, reason,
          facts.text, at_work)
        if name ~= '' then opened = name end
        if is_open(own) then host_breaker = own end
        -- other hosts' objects need not wait for this host's breaker, and a bucket is not filled by
        -- what a sink failed at
        waits_for = (is_open(each.name) or not fills_bucket(each.name)) and each.name or ''
      elseif add_failure(each.name, oid, facts.failures, reason, facts.text, each.group) then
        opened = each.name
      end
    end
    if leased then
      -- another host may succeed where this one failed, so retry soon
      local fails_here_only = host_breaker ~= '' and not is_open(waits_for)
      local doublings = fails_here_only and 0 or math.min(tries - 1, 30)
      local wait = math.min(facts.last_wait, facts.first_wait * 2 ^ doublings) * facts.jitter
      redis.call('HSET', key, i .. ':pr', reason, i .. ':pd', facts.text)
      park_object(mid, i, waits_for, math.floor(wait), facts.most_parked)
    end
    return end_claim(oid, token, {status, reason, 0, opened, closed, host_breaker})
  end
end

-- The outcome is final.
for field, by in pairs(sums) do add_to_sum(field, by) end
local final = status
if reason ~= '' then final = status .. ':' .. reason end
local refused_before = status == 'refused' and read_occurrences(entry_id) and 1 or 0
add_to_sum('objects:' .. (refused_before == 1 and 'refused:quarantined' or final), 1)
if not leased or redis.call('HEXISTS', key, i .. ':o') == 1 then
  -- no lease waits for this outcome, so it counts as one more object
  add_to_sum('objects:named', 1)
end
if status == 'refused' and entry_json ~= '' then
  put_in_quarantine(entry_id, entry_json,
    {kind = 'object', reason = reason, ref = ref, message = mid}, cjson.decode(most))
end
if status == 'delivered' or reason == 'already-delivered' then
  for at = 1, #digests, 4 do mark_delivered(oid, string.sub(digests, at, at + 3), spans) end
  redis.call('DEL', state)
  remove_disproved_entries(oid, digests)
  if status == 'delivered' then
    redis.call('HSET', S .. 'sums', 'at:success', NOW)
    redis.call('DEL', S .. 'skips')
  end
else
  -- an object that kills workers runs alone from the first try when a new message names it
  redis.call('HSET', state, 's', reason == 'kills-worker' and facts.starts_alone or 0)
  redis.call('HDEL', state, 't', 'tr', 'ft')  -- a retry counts its tries from the first
  delete_fields(state, '^[ar]:')
  redis.call('PEXPIRE', state, 1296000000)
end
local settle = 0
if leased and redis.call('HEXISTS', key, i .. ':o') == 0 then
  redis.call('HSET', key, i .. ':o', final)
  redis.call('ZREM', S .. 'flight', member)
  unpark_object(mid, i)
  if redis.call('HINCRBY', key, 'o', -1) == 0 then settle = finish_message(mid, token) end
end
return end_claim(oid, token, {status, reason, settle, opened, closed, '', refused_before})
