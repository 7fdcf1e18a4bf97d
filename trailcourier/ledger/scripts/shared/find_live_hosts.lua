-- Find the hosts that have live workers of a role ('control' or 'objects'). Returns their number
-- and a set of their names. A worker is called name@host/pid.
-- include: fleet, is_alive

local function find_live_hosts(alive, role)
  local hosts, seen, workers = 0, {}, redis.call('HGETALL', G .. 'workers')
  for a = 1, #workers, 2 do
    local heard, threads, presence = string.match(workers[a + 1], '^(%d+)|(%d+)|(.*)$')
    local host = string.match(workers[a], '@([^/]*)')
    local does = heard and threads ~= '0'
    if role == 'control' then does = heard and string.find(presence, '"control"', 1, true) end
    if host and not seen[host] and does and is_alive(heard, alive) then
      seen[host], hosts = true, hosts + 1
    end
  end
  return hosts, seen
end
