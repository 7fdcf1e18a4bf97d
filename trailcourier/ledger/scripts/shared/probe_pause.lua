-- How long an open breaker waits before it lets objects through: a sixth of the longest pause, then
-- longer and longer.

local function probe_pause(times, longest)
  return math.min(longest, longest / 6 * 2 ^ math.min(times, 10))
end
