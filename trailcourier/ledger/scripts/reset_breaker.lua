-- Close a breaker for a new attempt, without noting a success.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    breaker
-- answer  nothing
-- twice   a second call finds it closed
-- include: runs_when_full, close_breaker

local name = ARGV[1]
close_breaker(name)
