-- Note that something moves.
-- include: fleet, clock

local function moves(what)
  redis.call('HSET', G .. 'seen', what, string.format('%d', NOW))
end
