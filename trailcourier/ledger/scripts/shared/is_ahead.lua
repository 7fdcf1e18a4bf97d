-- Say whether a deadline, which was set at most `most` milliseconds ahead, still lies ahead. A
-- deadline further ahead was set before the broker's clock was set back, and counts as past.
-- include: clock

local function is_ahead(deadline, most)
  deadline = tonumber(deadline) or 0
  return deadline > NOW and deadline <= NOW + most
end
