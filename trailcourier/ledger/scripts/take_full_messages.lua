-- Take leased messages that have parked objects of a bucket with more of them than it may have;
-- each goes to one caller. A message that alone has all parked objects of its bucket stays: left to
-- the queue, it would be released at once, because nothing else could probe the bucket, and fill it
-- again.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; number of messages at most; parked objects a bucket may have; number of objects to
--         look at
-- answer  for each: message; receipt; receive count; bucket and account; age (ms)
-- twice   the answer is kept under the token for a minute and given again
-- include: runs_when_full, source, clock, kept_answer, fills_bucket

local token, most, parked, looks = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local before, found = recall_answer(token), {}
if before then return before end

-- Find the first bucket and account with too many parked objects, not all of this message alone.
local function find_full_bucket(key, mid, n)
  local own = {}
  for i = 0, n - 1 do
    if redis.call('ZSCORE', S .. 'parked', mid .. '/' .. i) then
      local f = redis.call('HMGET', key, i .. ':b', i .. ':p')
      if fills_bucket(f[2] or '') then own[f[1] or ''] = (own[f[1] or ''] or 0) + 1 end
    end
  end
  for bucket, number in pairs(own) do
    local all = tonumber(redis.call('HGET', S .. 'buckets', bucket) or '0')
    if all > parked and number < all then return bucket end
  end
end
for _, mid in ipairs(redis.call('ZRANGE', S .. 'full', 0, most - 1)) do
  local key = S .. 'm:' .. mid
  local f = redis.call('HMGET', key, 'h', 'r', 'n', 'c')
  local n = tonumber(f[3] or '0')
  if #found > 0 and n > looks then break end
  looks = looks - n
  local bucket = find_full_bucket(key, mid, n)
  redis.call('ZREM', S .. 'full', mid)
  if bucket and f[1] ~= '' then
    found[#found + 1] = {mid, f[1], tonumber(f[4]), bucket, NOW - tonumber(f[2])}
  end
end
return #found > 0 and keep_answer(token, found) or found
