-- Say whether an object parked behind this breaker counts against the number of parked objects its
-- bucket and account may have. Objects that wait for a sink or for credentials do not count,
-- because nothing is received while such a breaker is open.

local function fills_bucket(scope)
  local kind = string.match(scope, '^[^:]*')
  return kind ~= 'sink' and kind ~= 'credentials'
end
