-- Note the leases whose visibility SQS has extended.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token. Then for each lease: message; receipt; new visibility (s)
-- answer  nothing
-- twice   the token is kept for a minute: a second call changes nothing
-- include: runs_when_full, source, clock, kept_answer, add_to_sum

local token, done = ARGV[1], 0
if recall_answer(token) then return end
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
add_to_sum('leases:extended', done)
keep_answer(token, 1)
