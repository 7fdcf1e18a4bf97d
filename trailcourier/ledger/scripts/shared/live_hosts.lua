-- How many hosts have object workers, and which: a worker is called name@host/pid.
-- include: fleet, is_alive

local function live_hosts(alive)
  local hosts, seen, workers = 0, {}, redis.call('HGETALL', G .. 'workers')
  for a = 1, #workers, 2 do
    local heard, carries = string.match(workers[a + 1], '^(%d+)|(%d+)|')
    local host = string.match(workers[a], '@([^/]*)')
    if host and not seen[host] and heard and carries ~= '0' and is_alive(heard, alive) then
      seen[host], hosts = true, hosts + 1
    end
  end
  return hosts, seen
end
