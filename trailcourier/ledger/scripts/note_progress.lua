-- Note how far each sink has accepted an object, and renew the claim on it.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    message; index; id; token; task id; life of the claim (ms); the object's marks when it
--         was claimed; periods of three days that marks are kept for; etag. Then for each field of
--         the object's state: name; value
-- answer  1; 0 where another task has overtaken the claim
-- twice   a second call sets the same values
-- include: runs_when_full, source, clock, set_claim, may_write, begin_content, set_state_field

local mid, i, oid, token, task, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5],
  tonumber(ARGV[6])
local known, spans, etag = ARGV[7], tonumber(ARGV[8]), ARGV[9]
if not may_write(mid, i, oid, token, known, spans) then return 0 end
local state = S .. 'o:' .. oid
begin_content(state, etag)
redis.call('HSET', state, 's', 0)
for a = 10, #ARGV, 2 do set_state_field(state, ARGV[a], ARGV[a + 1]) end
set_claim(oid, token, task, life)
if redis.call('EXISTS', S .. 'm:' .. mid) == 1 then
  redis.call('HDEL', S .. 'm:' .. mid, i .. ':x')
end
return 1
