-- Take a probe of an open breaker; returns whether the caller's object may pass. After each pause
-- one object passes; of a bucket's breaker one, then two, four, ... up to sixteen.
-- include: fleet, is_ahead, probe_pause

local function take_probe(name, longest, token)
  local key = G .. 'b:' .. name
  local f = redis.call('HMGET', key, 'probe', 'prober', 'probes', 'left')
  if f[2] == token then return true end
  local times, left = tonumber(f[3]) or 0, tonumber(f[4]) or 0
  local pause = probe_pause(times, longest)
  if not is_ahead((tonumber(f[1]) or 0) + pause, pause) then
    local more = string.sub(name, 1, 7) == 'bucket:' and math.min(16, 2 ^ times) or 1
    redis.call('HSET', key, 'probe', NOW, 'prober', token, 'probes', times + 1, 'left', more - 1)
    return true
  end
  if left < 1 then return false end
  redis.call('HSET', key, 'prober', token, 'left', left - 1)
  return true
end
