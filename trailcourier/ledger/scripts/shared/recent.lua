-- Whether a delivery at this time is less than an hour ago, or an hour and 17 minutes.
-- include: clock, marks

local function recent(at) return at <= NOW and NOW - at < 3600000 + PART end
