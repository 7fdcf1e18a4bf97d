-- Count sums up.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token; then fields and by how much
-- answer  nothing
-- twice   the token is kept: they count once
-- include: frees, once, count

local token = ARGV[1]
if remembered(token) then return end
for a = 2, #ARGV, 2 do count(ARGV[a], ARGV[a + 1]) end
remember(token, 1)
