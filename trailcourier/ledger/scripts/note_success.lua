-- Note a success, which closes the breaker and, with a host, that host's own.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; breaker; host ('' for none)
-- answer  the breakers that it closed
-- twice   the answer is kept under the token where a breaker closed; else a second call changes
--         nothing
-- include: runs_when_full, kept_answer, note_successes

local token, name, host = ARGV[1], ARGV[2], ARGV[3]
local before = recall_answer(token)
if before then return before end
local closed = note_successes({name}, host)
return #closed > 0 and keep_answer(token, closed) or closed
