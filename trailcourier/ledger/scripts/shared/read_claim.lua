-- Read the claim on an object: whether it is live, whether it has ended, its token, and the task id
-- (rest) or, once it has ended, the packed answer. Returns nil without one.
-- include: source, is_ahead

local CLAIM_MOST = 600000
local function read_claim(oid)
  local held = redis.call('GET', S .. 'c:' .. oid)
  if not held then return nil end
  local deadline, token, rest = string.match(held, '^(%d+)|([^|]*)|(.*)$')
  return {live = is_ahead(deadline, CLAIM_MOST), ended = deadline == '0', token = token,
    rest = rest}
end
