-- Say whether an open breaker would let this caller's object through as a probe; takes no probe.
-- include: fleet, is_ahead, probe_pause

local function probe_is_due(name, longest, token)
  local f = redis.call('HMGET', G .. 'b:' .. name, 'probe', 'prober', 'probes', 'left')
  if f[2] == token or (tonumber(f[4]) or 0) > 0 then return true end
  local pause = probe_pause(tonumber(f[3]) or 0, longest)
  return not is_ahead((tonumber(f[1]) or 0) + pause, pause)
end
