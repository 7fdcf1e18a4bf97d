-- Count a failure against a breaker.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, breaker, what failed, how many open it, reason, text, the host if the failure may
--         be its own (else ''), heartbeat (ms)
-- answer  the breaker that this failure opened, '' for none
-- twice   the answer is kept
-- include: frees, once, fail, fail_here, live_hosts

local token, name, what, limit, reason, text = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]),
  ARGV[5], ARGV[6]
local host, alive = ARGV[7], tonumber(ARGV[8])
local before = remembered(token)
if before then return before end
if host ~= '' then
  local hosts, at_work = live_hosts(alive, 'control')
  if hosts > 1 then
    return remember(token, (fail_here(name, host, what, limit, reason, text, at_work)))
  end
end
return remember(token, fail(name, what, limit, reason, text) and name or '')
