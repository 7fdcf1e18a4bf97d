-- Count parts of several chords, each once, as Celery's own script counts one.
--
-- KEYS    for each chord: its results, its change of size, its size, the parts known, its claim
-- ARGV    life of the keys (s). Then for each chord: number of parts; for each of them its name, its
--         place, its result
-- answer  the chords, counted from 0, that are complete and that nobody has claimed
-- twice   a part that is known is not counted again
local expires, a, complete = tonumber(ARGV[1]), 2, {}
for k = 1, #KEYS, 5 do
  local results, diff, size, known, claim = unpack(KEYS, k, k + 4)
  local number, new, members, seen = tonumber(ARGV[a]), {}, {}, {}
  local at = redis.call('MGET', size, diff, claim)
  if at[1] and at[3] ~= 'done' then
    local asked = {}
    for i = 0, number - 1 do asked[i + 1] = ARGV[a + 1 + 3 * i] end
    local is = redis.call('SMISMEMBER', known, unpack(asked))
    for i, member in ipairs(asked) do
      if is[i] == 0 and not seen[member] then
        seen[member] = true
        members[#members + 1] = member
        new[#new + 1] = ARGV[a + 3 * i - 1]
        new[#new + 1] = ARGV[a + 3 * i]
      end
    end
    if #members > 0 then
      redis.call('ZADD', results, unpack(new))
      redis.call('SADD', known, unpack(members))
    end
    if expires > 0 then
      for _, key in ipairs({results, size, known}) do redis.call('EXPIRE', key, expires) end
      if at[2] then redis.call('EXPIRE', diff, expires) end
    end
    local whole = tonumber(at[1]) + tonumber(at[2] or 0)
    if not at[3] and redis.call('ZCARD', results) == whole then
      complete[#complete + 1] = (k - 1) / 5
    end
  end
  a = a + 1 + 3 * number
end
return complete
