-- Note leases whose visibility SQS has extended.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token; then for each lease: message, receipt, seconds
-- answer  nothing
-- twice   the token is kept: they count once
-- include: frees, source, clock, once, count

local token, done = ARGV[1], 0
if remembered(token) then return end
for a = 2, #ARGV, 3 do
  local mid, handle, seconds = ARGV[a], ARGV[a + 1], tonumber(ARGV[a + 2])
  local key = S .. 'm:' .. mid
  if redis.call('HGET', key, 'h') == handle then
    local till = NOW + seconds * 1000
    redis.call('HSET', key, 'u', till)
    redis.call('ZADD', S .. 'leases', till, mid)
    done = done + 1
  end
end
count('leases:extended', done)
remember(token, 1)
