-- Prolong claims.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    life (ms), spans; then for each claim: message, index, id, token, task id, its marks when
--         it was claimed
-- answer  1 for each that still holds, 0 for one that was overtaken
-- twice   a claim is prolonged once more
-- include: frees, hold_claim, fenced, moves

local life, spans, answers = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for a = 3, #ARGV, 6 do
  local mid, i, oid, token, task, known = unpack(ARGV, a, a + 5)
  local ours = fenced(mid, i, oid, token, known, spans)
  if ours then
    moves('forward')
    hold_claim(oid, token, task, life)
  end
  answers[#answers + 1] = ours and 1 or 0
end
return answers
