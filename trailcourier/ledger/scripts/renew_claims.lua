-- Renew claims.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    life of a claim (ms); periods of three days that marks are kept for. Then for each claim:
--         message; index; id; token; task id; the object's marks when it was claimed
-- answer  for each: 1 if it was renewed, 0 if another task has overtaken it
-- twice   a second call renews the claims once more
-- include: runs_when_full, set_claim, may_write, note_seen

local life, spans, answers = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for a = 3, #ARGV, 6 do
  local mid, i, oid, token, task, known = unpack(ARGV, a, a + 5)
  local ours = may_write(mid, i, oid, token, known, spans)
  if ours then
    note_seen('forward')
    set_claim(oid, token, task, life)
  end
  answers[#answers + 1] = ours and 1 or 0
end
return answers
