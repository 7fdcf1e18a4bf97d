-- Say whether a forward may still write. A missing claim does not prove a takeover: it may have
-- expired long ago, its lease may be gone, or the ledger was lost. If the object's state names
-- another token, another forward has claimed the object since, and has not delivered it. `known`
-- are the object's marks when it was claimed: if they have changed, another task has delivered it.
-- include: source, read_claim, read_delivered

local function may_write(mid, i, oid, token, known, spans)
  local holder = read_claim(oid)
  if holder then return holder.token == token and not holder.ended end
  local last = redis.call('HGET', S .. 'm:' .. mid, i .. ':k')
  if last and last ~= token then return false end
  last = redis.call('HGET', S .. 'o:' .. oid, 'k')
  if last and last ~= token then return false end
  local now = read_delivered(oid, spans)
  return now == '' or now == known
end
