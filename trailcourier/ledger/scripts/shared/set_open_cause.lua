-- Set the reason and text of an open breaker to its latest failure's: a sink that was full may by
-- now reject every record, and then others are tried.
-- include: fleet, is_open

local function set_open_cause(name, reason, text)
  if is_open(name) then
    redis.call('HSET', G .. 'b:' .. name, 'reason', reason, 'text', text)
  end
end
