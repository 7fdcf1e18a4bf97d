-- Count a failure against a breaker, which opens at a certain number of distinct failures.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; breaker; what failed; number of distinct failures that opens the breaker; reason;
--         text; the host if the failure may be its own, else ''; life of a heartbeat (ms)
-- answer  the breaker that this failure opened, '' for none
-- twice   the answer is kept under the token for a minute and given again
-- include: runs_when_full, kept_answer, add_failure, add_host_failure, find_live_hosts

local token, name, what, limit, reason, text = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]),
  ARGV[5], ARGV[6]
local host, alive = ARGV[7], tonumber(ARGV[8])
local before = recall_answer(token)
if before then return before end
if host ~= '' then
  local hosts, at_work = find_live_hosts(alive, 'control')
  if hosts > 1 then
    return keep_answer(token, (add_host_failure(name, host, what, limit, reason, text, at_work)))
  end
end
return keep_answer(token, add_failure(name, what, limit, reason, text) and name or '')
