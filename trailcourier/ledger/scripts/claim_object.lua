-- Ask to work on one object of a lease.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    message, index, generation, token, task id, '1' if nothing runs beside it, life of the
--         claim (ms), spans, starts after which it runs alone, starts after which it is refused,
--         longest pause of a breaker (ms), source, parked objects a bucket may have; then sinks
-- answer  'go', reference (JSON), id, contents delivered, progress (as HGETALL), sinks that
--         accepted others since one of them rejected all of this object;
--         'refused', reference, id; 'done', outcome, 1 to ask for a settle; 'parked', breaker;
--         'gone', 'held', 'ours' or 'alone'
-- twice   the claim keeps the token: who holds it is answered as before
-- include: frees, fleet, source, clock, count, held_claim, hold_claim, contents, holds, recent
-- include: probe_is_due, probes, park, finished

local mid, i, gen, token, task, alone = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5],
  ARGV[6] == '1'
local life, spans, limit, refused_at, pause = tonumber(ARGV[7]), tonumber(ARGV[8]),
  tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local source, parked_most = ARGV[12], tonumber(ARGV[13])
local sinks = {unpack(ARGV, 14)}

-- The sinks that accepted other records since one of them rejected all of this object, and have
-- failed on no host after that.
local function accepted_since(name, at)
  if tonumber(redis.call('HGET', G .. 'ok', name) or '0') <= at then return false end
  for _, failing in ipairs(redis.call('SMEMBERS', G .. 'failing')) do
    if string.match(failing, '^[^@]*') == name then return false end
  end
  return true
end
local function vouched(oid)
  local names, f = {}, redis.call('HMGET', S .. 'o:' .. oid, 'tr', 'ft')
  if f[1] ~= 'sink-rejects-all' then return names end
  local at = tonumber(f[2])
  for _, sink in ipairs(sinks) do
    if accepted_since('sink:' .. sink, at) then names[#names + 1] = sink end
  end
  return names
end

local key, member = S .. 'm:' .. mid, mid .. '/' .. i
local f = redis.call('HMGET', key, i .. ':r', i .. ':id', i .. ':g', i .. ':o', i .. ':e',
  i .. ':b', i .. ':a', i .. ':pb', 'h')
local ref, oid, generation, outcome, digest, scope, dispatched, probe, handle = unpack(f, 1, 9)
if not ref then return {'gone'} end
if outcome then
  local last = redis.call('HGET', key, 'o') == '0'
  return {'done', outcome, last and finished(mid, token) or 0}
end
if gen < tonumber(generation) then return {'held'} end
local holder = held_claim(oid)
if holder and holder.token == token then  -- asked again, as the answer was lost
  if redis.call('HGET', key, i .. ':k') ~= token then return {'refused', ref, oid} end
  local delivered = contents(oid, spans)
  return {'go', ref, oid, delivered, redis.call('HGETALL', S .. 'o:' .. oid), vouched(oid)}
end
if holder then
  if holder.rest == task then return {'ours'} end
  redis.call('HSET', key, i .. ':k', 'waiting')
  return {'held'}
end
local found, at = contents(oid, spans)
-- without a content announced, the GET of a retry (it has no receipt) or after an hour compares it
if holds(found, digest) and (digest ~= '' or (handle ~= '' and recent(at))) then
  redis.call('HSET', key, i .. ':o', 'skipped:already-delivered')
  redis.call('ZREM', S .. 'flight', member)
  count('objects:skipped:already-delivered', 1)
  local settle = redis.call('HINCRBY', key, 'o', -1) == 0 and finished(mid, token) or 0
  return {'done', 'skipped:already-delivered', settle}
end
local starts = tonumber(redis.call('HGET', S .. 'o:' .. oid, 's') or '0')
if starts >= refused_at then
  hold_claim(oid, token, task, life)
  return {'refused', ref, oid}
end
if starts >= limit and not alone then return {'alone'} end
local bucket = 'bucket:' .. source .. ':' .. string.match(scope, '^[^/]*')
local names = {'credentials:' .. source, bucket, 'bucket:' .. source .. ':' .. scope}
for _, sink in ipairs(sinks) do names[#names + 1] = 'sink:' .. sink end
local is = redis.call('SMISMEMBER', G .. 'open', unpack(names))
-- a probe passes all open breakers: two would else each wait for the other's probe
local open = {}
for place, name in ipairs(probe and {} or names) do
  if is[place] == 1 then open[#open + 1] = name end
end
for _, name in ipairs(open) do  -- before one is taken: it would be lost where another stops
  if not probe_is_due(name, pause, token) then
    park(mid, i, name, pause, parked_most)
    return {'parked', name}
  end
end
for _, name in ipairs(open) do probes(name, pause, token) end
hold_claim(oid, token, task, life)
redis.call('HSET', key, i .. ':k', token)
redis.call('HINCRBY', S .. 'o:' .. oid, 's', 1)
redis.call('PEXPIRE', S .. 'o:' .. oid, 1296000000)
local high = tonumber(redis.call('GET', G .. 'high') or '0')
-- later than now: the broker's clock was put back
if tonumber(dispatched) > high or high > NOW then
  redis.call('SET', G .. 'high', dispatched)
end
return {'go', ref, oid, found, redis.call('HGETALL', S .. 'o:' .. oid), vouched(oid)}
