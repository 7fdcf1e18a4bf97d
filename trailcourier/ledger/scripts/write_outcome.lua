-- Write what became of an object, with all that follows: sums, marks, breakers, quarantine.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    message, index, id, token, task id, facts (JSON, see Outcomes._facts), sums (JSON),
--         spans, digests delivered, etag, entry's id, its marks when it was claimed, entry (JSON,
--         '' without), reference (JSON), room in quarantine (JSON)
-- answer  status, reason, 1 to ask for a settle, breaker opened, breakers closed, breaker of this
--         host that is open, and of a final one 1 if it was refused before; or 'stale' alone
-- twice   the answer takes the claim's place, under its token
-- include: frees, fleet, source, clock, count, moves, claim_on, end_claim, fenced, of_content
-- include: mark, is_open, fail, fail_here, succeed, unpark, park, finished
-- include: noted, enter, disprove, live_hosts

local mid, i, oid, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local facts, sums = cjson.decode(ARGV[6]), cjson.decode(ARGV[7])
local spans, digests, etag = tonumber(ARGV[8]), ARGV[9], ARGV[10]
local entry, known, json, ref, most = ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local claim = claim_on(oid)
if claim and claim.ended and claim.token == token then return cmsgpack.unpack(claim.rest) end
if not fenced(mid, i, oid, token, known, spans) then return {'stale'} end
moves('forward')
local key, state, member = S .. 'm:' .. mid, S .. 'o:' .. oid, mid .. '/' .. i
local leased = redis.call('HEXISTS', key, i .. ':r') == 1
local probed = leased and redis.call('HGET', key, i .. ':pb')
if probed then
  redis.call('HDEL', key, i .. ':pb')
  if #facts.ok > 0 and string.sub(probed, 1, 4) == 'kms:' then table.insert(facts.ok, probed) end
end
local closed = succeed(facts.ok, facts.host, facts.ago)
local status, reason, opened, unfit = facts.status, facts.reason, '', ''
if status == 'pending' then
  redis.call('HINCRBY', state, 's', -1)
end
if etag ~= '' then of_content(state, etag) end
for name, value in pairs(facts.state) do redis.call('HSET', state, name, value) end
if status == 'pending' then
  return end_claim(oid, token, {'pending', reason, 0, '', closed, ''})
end
if status == 'parked' or (status == 'refused' and facts.tries > 0) then
  local was = redis.call('HMGET', state, 'tr', 't', 'ft')
  local tries = was[1] == reason and tonumber(was[2]) + 1 or 1
  local first = was[1] == reason and tonumber(was[3]) or NOW
  redis.call('HSET', state, 'tr', reason, 't', tries, 'ft', first, 's', 0)
  redis.call('PEXPIRE', state, 1296000000)
  local narrowest = facts.breakers[1] and facts.breakers[1].name
  local beside = true
  if facts.beside then
    beside = tonumber(redis.call('HGET', G .. 'ok', narrowest) or '0') > first
  end
  if facts.tries > 0 and tries >= facts.tries and beside then
    status = 'refused'
  else
    status = 'parked'
    count('parked:' .. reason, 1)
    local behind = narrowest or ''
    local hosts, at_work = live_hosts(facts.alive, 'objects')
    for _, each in ipairs(facts.breakers) do
      if each.here and facts.host ~= '' and hosts > 1 then
        local name, own = fail_here(each.name, facts.host, oid, facts.failures, reason, facts.text,
          at_work)
        if name ~= '' then opened = name end
        if is_open(own) then unfit = own end
        behind = is_open(each.name) and each.name or ''  -- others need not wait for this host
      elseif fail(each.name, oid, facts.failures, reason, facts.text, each.group) then
        opened = each.name
      end
    end
    if leased then
      local wait = math.min(facts.last, facts.first * 2 ^ math.min(tries - 1, 30)) * facts.jitter
      redis.call('HSET', key, i .. ':pr', reason, i .. ':pd', facts.text)
      park(mid, i, behind, math.floor(wait), facts.parked)
    end
    return end_claim(oid, token, {status, reason, 0, opened, closed, unfit})
  end
end
for field, by in pairs(sums) do count(field, by) end
local final = status
if reason ~= '' then final = status .. ':' .. reason end
local again = status == 'refused' and noted(entry) and 1 or 0
count('objects:' .. (again == 1 and 'refused:quarantined' or final), 1)
if not leased or redis.call('HEXISTS', key, i .. ':o') == 1 then
  count('objects:named', 1)  -- by a message that was done with: it has an outcome of its own
end
if status == 'refused' and json ~= '' then
  enter(entry, json, {kind = 'object', reason = reason, ref = ref, message = mid},
    cjson.decode(most))
end
if status == 'delivered' or reason == 'already-delivered' then
  for at = 1, #digests, 4 do mark(oid, string.sub(digests, at, at + 3), spans) end
  redis.call('DEL', state)
  disprove(oid, digests)
  if status == 'delivered' then
    redis.call('HSET', S .. 'sums', 'at:success', NOW)
    redis.call('DEL', S .. 'skips')
  end
else
  -- one that kills workers runs alone from the first try that a new message has it given
  redis.call('HSET', state, 's', reason == 'kills-worker' and facts.alone or 0)
  redis.call('HDEL', state, 't', 'tr', 'ft')
  redis.call('PEXPIRE', state, 1296000000)
end
local settle = 0
if leased and redis.call('HEXISTS', key, i .. ':o') == 0 then
  redis.call('HSET', key, i .. ':o', final)
  redis.call('ZREM', S .. 'flight', member)
  unpark(mid, i)
  if redis.call('HINCRBY', key, 'o', -1) == 0 then settle = finished(mid, token) end
end
return end_claim(oid, token, {status, reason, settle, opened, closed, '', again})
