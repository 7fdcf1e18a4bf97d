-- Whether a forward may still write.  A missing claim does not prove a takeover: it ran out long
-- ago, its lease is gone, or the ledger was lost.  *known* are the object's marks when it was
-- claimed; if they changed since, another task delivered the object.
-- include: source, claim_on, contents

local function fenced(mid, i, oid, token, known, spans)
  local holder = claim_on(oid)
  if holder then return holder.token == token and not holder.ended end
  local last = redis.call('HGET', S .. 'm:' .. mid, i .. ':k')
  if last and last ~= token then return false end
  local now = contents(oid, spans)
  return now == '' or now == known
end
