-- Count a failure against a breaker.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, breaker, what failed, how many open it, reason, text
-- answer  1 where this failure opened it, else 0
-- twice   the answer is kept
-- include: frees, once, fail

local token, name, what, limit, reason, text = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]),
  ARGV[5], ARGV[6]
local before = remembered(token)
if before then return before end
return remember(token, fail(name, what, limit, reason, text) and 1 or 0)
