-- Count how many objects all live workers together forward at once.
-- include: fleet, is_alive

local function count_live_threads(alive)
  local threads, workers = 0, redis.call('HVALS', G .. 'workers')
  for _, value in ipairs(workers) do
    local heard, its_threads = string.match(value, '^(%d+)|(%d+)|')
    if heard and is_alive(heard, alive) then threads = threads + tonumber(its_threads) end
  end
  return threads
end
