-- Say whether a breaker is open.
-- include: fleet

local function is_open(name) return redis.call('SISMEMBER', G .. 'open', name) == 1 end
