-- Enter something in quarantine, or count it once more.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, id, entry (JSON), room in quarantine (JSON), kind, reason, reference (JSON),
--         message, sender, topic ('' for those of the lease)
-- answer  nothing
-- twice   the token is kept: it counts once
-- include: once, enter

local token, id, json, most = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local new = {kind = ARGV[5], reason = ARGV[6], ref = ARGV[7], message = ARGV[8]}
local sender, topic = ARGV[9], ARGV[10]
if remembered(token) then return end
if sender ~= '' then new.sender = sender end
if topic ~= '' then new.topic = topic end
enter(id, json, new, most)
remember(token, 1)
