-- Say how a message went back to the queue earlier: 'refused', 'unfinished', or nil. Returns
-- 'sent-again' if it was sent again under the same id, as some servers do that move it out of a
-- dead-letter queue (SQS gives it a new id): then its receive count starts from one, or its
-- SentTimestamp is newer. A message that kept its count would not be delivered, because it is above
-- the maximum already. The second value is when it was first admitted (ms); nil where that is
-- unknown.
-- include: source

local function read_return(mid, receives, sent)
  local was = redis.call('HGET', S .. 'back', mid)
  if not was then return nil end
  local receives_then, sent_then, refused, first = string.match(was, '^(%d+)|(%d+)|(%d)|?(%d*)$')
  if receives <= tonumber(receives_then) or sent > tonumber(sent_then) then return 'sent-again' end
  return refused == '1' and 'refused' or 'unfinished', tonumber(first)
end
