-- NOW: the ledger's time in milliseconds, which is the broker's. Only tests set the keys `clock`
-- and `offset`.
-- include: fleet

local NOW
do
  local time, set = redis.call('TIME'), redis.call('MGET', G .. 'clock', G .. 'offset')
  NOW = tonumber(set[1]) or time[1] * 1000 + math.floor(time[2] / 1000) + (tonumber(set[2]) or 0)
end
