-- Forget messages that were released to the queue, or whose receipts the queue no longer accepts.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    for each: message; receipt
-- answer  nothing
-- twice   a second call finds nothing to forget; a message that was left again has another receipt,
--         and stays
-- include: runs_when_full, forget_left_message

for a = 1, #ARGV, 2 do
  local mid, handle = ARGV[a], ARGV[a + 1]
  local x = read_left_message(mid)
  if x and x.handle == handle then forget_left_message(mid) end
end
