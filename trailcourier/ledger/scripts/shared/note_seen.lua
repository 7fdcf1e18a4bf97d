-- Note that a forward moved just now, or a process of a role was heard of.
-- include: fleet, clock

local function note_seen(what)
  redis.call('HSET', G .. 'seen', what, string.format('%d', NOW))
end
