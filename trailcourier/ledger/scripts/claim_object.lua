-- Claim one object of a lease for a forward, or say why the forward must not work on it.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    message; index; generation; token; task id; '1' if nothing else runs in the caller's
--         process; life of the claim (ms); periods of three days that marks are kept for; starts
--         without an end after which the object runs alone; starts after which it is refused;
--         longest pause of a breaker (ms); source; parked objects a bucket may have; host. Then the
--         names of the sinks
-- answer  'go', reference (JSON), id, digests of contents delivered, the object's state (as
--         HGETALL), sinks that accepted other records from this host since they last rejected a
--         record of this object that was sent alone, the broker's clock (ms); 'refused', reference,
--         id; 'done', outcome, 1 to ask for a settle; 'parked', breaker; 'gone', 'held',
--         'duplicate' or 'alone'
-- twice   the claim keeps the token: its holder gets the same answer
-- include: runs_when_full, fleet, source, clock, add_to_sum, read_live_claim, set_claim
-- include: read_delivered, has_digest, is_recent, probe_is_due, take_probe, park_object
-- include: finish_message

local mid, i, gen, token, task, alone = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5],
  ARGV[6] == '1'
local life, spans, limit, refused_at, pause = tonumber(ARGV[7]), tonumber(ARGV[8]),
  tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local source, parked_most = ARGV[12], tonumber(ARGV[13])
local host, sinks = ARGV[14], {unpack(ARGV, 15)}

-- Say whether another object has failed at a sink since then.
local function has_failed_since(name, oid, at)
  local counted = G .. 'b:' .. name .. ':f'
  local failures = redis.call('ZRANGEBYSCORE', counted, at, '+inf', 'LIMIT', 0, 100)
  for _, each in ipairs(failures) do
    if string.sub(each, 2, 1 + #oid) ~= oid then return true end
  end
  return false
end
-- List the sinks that accepted other records from this host since they last rejected a record of
-- this object that was sent alone, and at which no other object has failed since.
local function list_sinks_accepting_others(oid)
  local names = {}
  for _, sink in ipairs(sinks) do
    local at, name = redis.call('HGET', S .. 'o:' .. oid, 'r:' .. sink), 'sink:' .. sink
    local own = host == '' and name or name .. '@' .. host
    local ok = tonumber(redis.call('HGET', G .. 'ok', own) or '0')
    if at and ok > tonumber(at) and ok <= NOW  -- later than now: the broker's clock was set back
      and not has_failed_since(name, oid, at) and not has_failed_since(own, oid, at) then
      names[#names + 1] = sink
    end
  end
  return names
end

local key, member = S .. 'm:' .. mid, mid .. '/' .. i
local f = redis.call('HMGET', key, i .. ':r', i .. ':id', i .. ':g', i .. ':o', i .. ':e',
  i .. ':b', i .. ':a', i .. ':pb', 'h')
local ref, oid, generation, outcome, digest, bucket_account, dispatched, probe, handle =
  unpack(f, 1, 9)
if not ref then return {'gone'} end
if outcome then
  local last = redis.call('HGET', key, 'o') == '0'
  return {'done', outcome, last and finish_message(mid, token) or 0}
end
if gen < tonumber(generation) then return {'held'} end
local holder = read_live_claim(oid)
if holder and holder.token == token then  -- a second call: the reply was lost
  if redis.call('HGET', key, i .. ':k') ~= token then return {'refused', ref, oid} end
  local delivered = read_delivered(oid, spans)
  return {'go', ref, oid, delivered, redis.call('HGETALL', S .. 'o:' .. oid),
    list_sinks_accepting_others(oid), NOW}
end
if holder then
  if holder.rest == task then return {'duplicate'} end
  redis.call('HSET', key, i .. ':k', 'waiting')
  return {'held'}
end
local found, at = read_delivered(oid, spans)
-- where no content was announced, the GET decides by the etag for a retry (which has no receipt),
-- and for any forward more than an hour after the delivery
if has_digest(found, digest) and (digest ~= '' or (handle ~= '' and is_recent(at))) then
  redis.call('HSET', key, i .. ':o', 'skipped:already-delivered')
  redis.call('ZREM', S .. 'flight', member)
  -- what tries since that delivery left, in which nothing was read
  if redis.call('HEXISTS', S .. 'o:' .. oid, 'e') == 0 then redis.call('DEL', S .. 'o:' .. oid) end
  add_to_sum('objects:skipped:already-delivered', 1)
  local settle = redis.call('HINCRBY', key, 'o', -1) == 0 and finish_message(mid, token) or 0
  return {'done', 'skipped:already-delivered', settle}
end
local starts = tonumber(redis.call('HGET', S .. 'o:' .. oid, 's') or '0')
if starts >= refused_at then
  set_claim(oid, token, task, life)
  redis.call('HSET', S .. 'o:' .. oid, 'k', token)
  return {'refused', ref, oid}
end
if starts >= limit and not alone then return {'alone'} end
local bucket = 'bucket:' .. source .. ':' .. string.match(bucket_account, '^[^/]*')
local names = {'credentials:' .. source, bucket, 'bucket:' .. source .. ':' .. bucket_account}
for _, sink in ipairs(sinks) do names[#names + 1] = 'sink:' .. sink end
local is = redis.call('SMISMEMBER', G .. 'open', unpack(names))
-- a probe passes all open breakers: otherwise two would each wait for the other's probe
local open = {}
for place, name in ipairs(probe and {} or names) do
  if is[place] == 1 then open[#open + 1] = name end
end
for _, name in ipairs(open) do  -- check all before taking a probe of any: it would be lost
  if not probe_is_due(name, pause, token) then
    park_object(mid, i, name, pause, parked_most)
    return {'parked', name}
  end
end
for _, name in ipairs(open) do take_probe(name, pause, token) end
set_claim(oid, token, task, life)
redis.call('HSET', key, i .. ':k', token)
redis.call('HINCRBY', S .. 'o:' .. oid, 's', 1)
redis.call('HSET', S .. 'o:' .. oid, 'k', token)
redis.call('PEXPIRE', S .. 'o:' .. oid, 1296000000)
local high = tonumber(redis.call('GET', G .. 'high') or '0')
-- later than now: the broker's clock was set back
if tonumber(dispatched) > high or high > NOW then
  redis.call('SET', G .. 'high', dispatched)
end
return {'go', ref, oid, found, redis.call('HGETALL', S .. 'o:' .. oid),
  list_sinks_accepting_others(oid), NOW}
