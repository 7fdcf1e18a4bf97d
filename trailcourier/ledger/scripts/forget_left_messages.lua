-- Forget messages that were handed back, or that the queue no longer knows by their receipts.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    for each: message, receipt
-- answer  nothing
-- twice   they are forgotten already; one that was left again has another receipt
-- include: frees, forget_left

for a = 1, #ARGV, 2 do
  local mid, handle = ARGV[a], ARGV[a + 1]
  local x = left_message(mid)
  if x and x.handle == handle then forget_left(mid) end
end
