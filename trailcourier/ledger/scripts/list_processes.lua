-- List the processes of the fleet, alive or gone a short while ago.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    life of a heartbeat (ms)
-- answer  now (ms). Then a list with, for each process: name; last heartbeat (ms); 1 if alive;
--         threads; presence (JSON). Then roles with their last heartbeats (as HGETALL, ms)
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
