-- Split a member of `flight` or `parked` into message and index.

local function split_member(member)
  local mid, i = string.match(member, '^(.*)/(%d+)$')
  return mid, i
end
