-- Note a success of a breaker, which closes it.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, breaker
-- answer  1 where it was open, else 0
-- twice   the answer is kept where it closed; else nothing comes of the second
-- include: frees, once, succeed

local token, name = ARGV[1], ARGV[2]
local before = remembered(token)
if before then return before end
return #succeed({name}) > 0 and remember(token, 1) or 0
