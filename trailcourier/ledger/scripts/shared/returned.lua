-- How a message was here before: 'refused', 'unfinished', or nil.  'anew' if it was sent again
-- since under the same id, as some servers do that move it out of a dead-letter queue (SQS gives it
-- a new id): it is counted from one again, or has a newer SentTimestamp.  One that kept its count
-- would not be delivered: it has exceeded the maximum already.  The second answer is when it was
-- first admitted; nil where that is not known.
-- include: source

local function returned(mid, receives, sent)
  local was = redis.call('HGET', S .. 'back', mid)
  if not was then return nil end
  local receives_then, sent_then, refused, first = string.match(was, '^(%d+)|(%d+)|(%d)|?(%d*)$')
  if receives <= tonumber(receives_then) or sent > tonumber(sent_then) then return 'anew' end
  return refused == '1' and 'refused' or 'unfinished', tonumber(first)
end
