-- The claim on an object: whose it is, whether it still holds, and the task id, or the answer once
-- it has ended.
-- include: source, ahead

local CLAIM_MOST = 600000
local function claim_on(oid)
  local held = redis.call('GET', S .. 'c:' .. oid)
  if not held then return nil end
  local deadline, token, rest = string.match(held, '^(%d+)|([^|]*)|(.*)$')
  return {live = ahead(deadline, CLAIM_MOST), ended = deadline == '0', token = token, rest = rest}
end
