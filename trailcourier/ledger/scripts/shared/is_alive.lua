-- Whether a process last heard of then counts as alive.
-- include: clock, slack

local function is_alive(heard, alive)
  local since = NOW - tonumber(heard)
  return since <= alive and since >= -SLACK
end
