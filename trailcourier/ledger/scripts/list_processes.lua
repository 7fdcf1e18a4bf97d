-- Who is at work and who was until lately.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    heartbeat (ms)
-- answer  now (ms); name, when last heard of (ms), 1 if alive, threads, presence (JSON) of each;
--         roles and when one was last heard of (as HGETALL)
-- twice   it writes nothing
-- include: fleet, clock, is_alive

local alive, answers, workers = tonumber(ARGV[1]), {}, redis.call('HGETALL', G .. 'workers')
for a = 1, #workers, 2 do
  local heard, threads, presence = string.match(workers[a + 1], '^(%d+)|(%d+)|(.*)$')
  if heard then
    answers[#answers + 1] = {workers[a], tonumber(heard), is_alive(heard, alive) and 1 or 0,
      tonumber(threads), presence}
  end
end
return {NOW, answers, redis.call('HGETALL', G .. 'seen')}
