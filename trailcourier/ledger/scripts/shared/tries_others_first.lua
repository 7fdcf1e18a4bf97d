-- Say whether to wait for other objects before a sink's parked ones are retried: the sink rejects
-- every record of those. After twice the pause between probes without another object, they are
-- retried.
-- include: fleet, is_ahead, probe_pause, rejects_all

local function tries_others_first(name, longest)
  if not rejects_all(name) then return false end
  local f = redis.call('HMGET', G .. 'b:' .. name, 'probe', 'probes')
  local pause = 2 * probe_pause(tonumber(f[2]) or 0, longest)
  return is_ahead((tonumber(f[1]) or 0) + pause, pause)
end
