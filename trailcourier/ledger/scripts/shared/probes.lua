-- Whether an open breaker lets this one through.  It lets a few objects through now and then: one
-- after a sixth of the longest pause, then two, four, ... of a bucket after longer and longer
-- pauses.
-- include: fleet, ahead, probe_pause

local function probes(name, longest, token)
  local key = G .. 'b:' .. name
  local f = redis.call('HMGET', key, 'probe', 'prober', 'probes', 'left')
  if f[2] == token then return true end
  local times, left = tonumber(f[3]) or 0, tonumber(f[4]) or 0
  local pause = probe_pause(times, longest)
  if not ahead((tonumber(f[1]) or 0) + pause, pause) then
    local more = string.sub(name, 1, 7) == 'bucket:' and math.min(16, 2 ^ times) or 1
    redis.call('HSET', key, 'probe', NOW, 'prober', token, 'probes', times + 1, 'left', more - 1)
    return true
  end
  if left < 1 then return false end
  redis.call('HSET', key, 'prober', token, 'left', left - 1)
  return true
end
