-- Close a breaker for a fresh try.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    breaker
-- answer  nothing
-- twice   it is closed already
-- include: frees, close_breaker

local name = ARGV[1]
close_breaker(name)
