-- Messages held that have more parked objects than their bucket may have, each told to one caller
-- only.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, how many at most
-- answer  message, receipt, receives, bucket and account, age (ms) of each
-- twice   the answer is kept
-- include: frees, source, clock, once

local token, most, found = ARGV[1], tonumber(ARGV[2]), {}
local before = remembered(token)
if before then return before end
for _, mid in ipairs(redis.call('ZRANGE', S .. 'full', 0, most - 1)) do
  local key = S .. 'm:' .. mid
  local f = redis.call('HMGET', key, 'h', 'r', 'n', 'c')
  local bucket = ''
  for i = 0, tonumber(f[3] or '0') - 1 do
    if redis.call('ZSCORE', S .. 'parked', mid .. '/' .. i) then
      bucket = redis.call('HGET', key, i .. ':b') or ''
      break
    end
  end
  redis.call('ZREM', S .. 'full', mid)
  if bucket ~= '' and f[1] ~= '' then
    found[#found + 1] = {mid, f[1], tonumber(f[4]), bucket, NOW - tonumber(f[2])}
  end
end
return #found > 0 and remember(token, found) or found
