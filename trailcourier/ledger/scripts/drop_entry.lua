-- Remove an entry of quarantine.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, id
-- answer  1, or 0 where there was none
-- twice   the answer is kept
-- include: frees, once, noted, leave

local token, id = ARGV[1], ARGV[2]
local before = remembered(token)
if before then return before end
local there = noted(id) and 1 or 0
return remember(token, math.max(leave(id), there))
