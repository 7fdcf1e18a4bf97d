-- Whether a deadline, set at most `most` milliseconds ahead, still lies ahead.  One further ahead
-- was set before the broker's clock was put back, and holds nobody up.
-- include: clock

local function ahead(deadline, most)
  deadline = tonumber(deadline) or 0
  return deadline > NOW and deadline <= NOW + most
end
