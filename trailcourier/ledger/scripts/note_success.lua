-- Note a success of a breaker, which closes it.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, breaker, host
-- answer  the breakers that it closed
-- twice   the answer is kept where one closed; else nothing comes of the second
-- include: frees, once, succeed

local token, name, host = ARGV[1], ARGV[2], ARGV[3]
local before = remembered(token)
if before then return before end
local closed = succeed({name}, host)
return #closed > 0 and remember(token, closed) or closed
