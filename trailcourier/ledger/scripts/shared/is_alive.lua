-- Say whether a process with this last heartbeat counts as alive.
-- include: clock, heartbeat_slack

local function is_alive(heard, alive)
  local since = NOW - tonumber(heard)
  return since <= alive and since >= -SLACK
end
