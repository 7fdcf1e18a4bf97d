-- Whether others are tried before a sink's parked objects: it rejects all it is sent of these.
-- They are tried where no other has come for as long again.
-- include: fleet, ahead, probe_pause, rejects_all

local function others_first(name, longest)
  if not rejects_all(name) then return false end
  local f = redis.call('HMGET', G .. 'b:' .. name, 'probe', 'probes')
  local pause = 2 * probe_pause(tonumber(f[2]) or 0, longest)
  return ahead((tonumber(f[1]) or 0) + pause, pause)
end
