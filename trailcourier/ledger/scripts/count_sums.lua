-- Add to counters.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token. Then for each counter: its name; increment
-- answer  nothing
-- twice   the token is kept for a minute: a second call changes nothing
-- include: runs_when_full, kept_answer, add_to_sum

local token = ARGV[1]
if recall_answer(token) then return end
for a = 2, #ARGV, 2 do add_to_sum(ARGV[a], ARGV[a + 1]) end
keep_answer(token, 1)
