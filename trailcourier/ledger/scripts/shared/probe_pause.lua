-- Return how long an open breaker waits before its next probe (ms): a sixth of the longest pause at
-- first, then twice as long each time.

local function probe_pause(times, longest)
  return math.min(longest, longest / 6 * 2 ^ math.min(times, 10))
end
