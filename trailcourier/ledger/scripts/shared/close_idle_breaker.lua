-- Close the breaker of a bucket or KMS key that no parked object and no left message waits for.
-- Only a probe closes such a breaker, so it would stay open for ever. This notes no success.
-- include: fleet, source, is_open, close_breaker

local function is_waited_for(scope)
  for _, other in ipairs(redis.call('SMEMBERS', S .. 'scopes')) do
    if other == scope or string.sub(other, 1, #scope + 1) == scope .. '/' then return true end
  end
  local bucket = string.match(scope, '^bucket:[^:]*:(.*)$')
  for _, left in ipairs(bucket and redis.call('SMEMBERS', S .. 'left:buckets') or {}) do
    if left == bucket or string.sub(left, 1, #bucket + 1) == bucket .. '/' then return true end
  end
  return false
end
local function close_idle_breaker(scope)
  local kind = string.match(scope, '^[^:]*')
  if (kind == 'bucket' or kind == 'kms') and is_open(scope) and not is_waited_for(scope) then
    close_breaker(scope)
  end
end
