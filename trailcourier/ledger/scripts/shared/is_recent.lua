-- Say whether a delivery at this time was within the last hour (or 1 h 17 min: marks keep no more).
-- include: clock, mark_format

local function is_recent(at) return at <= NOW and NOW - at < 3600000 + PART end
