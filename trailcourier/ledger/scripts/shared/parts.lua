-- The message and the index of an object in flight or parked.

local function parts(member)
  local mid, i = string.match(member, '^(.*)/(%d+)$')
  return mid, i
end
