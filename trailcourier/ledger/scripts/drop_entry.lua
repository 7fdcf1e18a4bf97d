-- Remove an entry from quarantine.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; id of the entry
-- answer  1, or 0 where there was no such entry
-- twice   the answer is kept under the token for a minute and given again
-- include: runs_when_full, kept_answer, read_occurrences, remove_entry

local token, id = ARGV[1], ARGV[2]
local before = recall_answer(token)
if before then return before end
local there = read_occurrences(id) and 1 or 0
return keep_answer(token, math.max(remove_entry(id), there))
