-- Note that something moves; it deletes first, so that a full Redis lets the script go on.
-- include: fleet, clock

local function moves(what)
  redis.call('HDEL', G .. 'seen', what)
  redis.call('HSET', G .. 'seen', what, string.format('%d', NOW))
end
