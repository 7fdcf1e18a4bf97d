-- Put an entry into quarantine, or count one more occurrence of it.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; id of the entry; entry (JSON); limits of quarantine (JSON); kind; reason;
--         reference (JSON); message; sender; topic ('' takes sender or topic from the lease)
-- answer  nothing
-- twice   the token is kept for a minute: a second call changes nothing
-- include: kept_answer, put_in_quarantine

local token, id, json, most = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local new = {kind = ARGV[5], reason = ARGV[6], ref = ARGV[7], message = ARGV[8]}
local sender, topic = ARGV[9], ARGV[10]
if recall_answer(token) then return end
if sender ~= '' then new.sender = sender end
if topic ~= '' then new.topic = topic end
put_in_quarantine(id, json, new, most)
keep_answer(token, 1)
