-- Note how far each sink is with an object.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    message, index, id, token, task id, life of the claim (ms), its marks when it was
--         claimed, spans, etag; then fields and values of the object's state
-- answer  1; 0 where the claim was overtaken
-- twice   the same values are set
-- include: frees, source, hold_claim, fenced, of_content

local mid, i, oid, token, task, life = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5],
  tonumber(ARGV[6])
local known, spans, etag = ARGV[7], tonumber(ARGV[8]), ARGV[9]
if not fenced(mid, i, oid, token, known, spans) then return 0 end
local state = S .. 'o:' .. oid
of_content(state, etag)
redis.call('HSET', state, 's', 0)
for a = 10, #ARGV, 2 do redis.call('HSET', state, ARGV[a], ARGV[a + 1]) end
hold_claim(oid, token, task, life)
if redis.call('EXISTS', S .. 'm:' .. mid) == 1 then
  redis.call('HDEL', S .. 'm:' .. mid, i .. ':x')
end
return 1
