-- Count the messages with a refusal that went back to the queue and are still in it.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    receives after which the queue gives a message up (0: never, '' if unknown); how long it
--         keeps a message (ms, '' if unknown); how long a message is hidden after its first
--         receive, and at most (ms)
-- answer  the number
-- twice   it writes nothing
-- include: source, clock

local most, kept, first, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]),
  tonumber(ARGV[4])
local number, notes, found = 0, redis.call('HGETALL', S .. 'back'), {}
for a = 1, #notes, 2 do
  local receives, sent, refused = string.match(notes[a + 1], '^(%d+)|(%d+)|(%d)')
  if refused == '1' then
    receives, sent = tonumber(receives), tonumber(sent)
    if not (kept and sent > 0 and sent + kept <= NOW) then
      -- the receive after the last one that the queue allows moves it
      if not most or most == 0 or receives < most then number = number + 1
      else found[#found + 1] = {notes[a], receives} end
    end
  end
end
for _, each in ipairs(found) do
  local at = tonumber(redis.call('ZSCORE', S .. 'backt', each[1]) or '0')
  local hidden = math.min(longest, first * 2 ^ math.min(each[2] - 1, 20))
  if NOW < at + hidden then number = number + 1 end
end
return number
