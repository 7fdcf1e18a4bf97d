-- Forwards that will not come back, each told to one caller only.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, '1' if no forward waits in the broker, how long before the latest claimed one is
--         lost (ms), how long is idle (ms), dispatches in vain at most, '1' if no message may be
--         given back
-- answer  what to dispatch again (message, index, generation, reference), messages to give back
-- twice   the answer is kept
-- include: fleet, source, clock, once, count, held_claim, again, parts

local token, idle, after, quiet = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local most, keep = tonumber(ARGV[5]), ARGV[6] == '1'
local before = remembered(token)
if before then return before end
local high = math.min(NOW, tonumber(redis.call('GET', G .. 'high') or '0'))
local due, vain = {}, {}
for _, member in ipairs(redis.call('ZRANGE', S .. 'flight', 0, -1)) do
  local mid, i = parts(member)
  local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':a', i .. ':k', i .. ':id', i .. ':o')
  if not f[1] or f[4] then
    redis.call('ZREM', S .. 'flight', member)
  elseif not held_claim(f[3]) then
    local at = tonumber(f[1])
    local quietly = at + quiet <= NOW or at > NOW  -- later than now: the clock was put back since
    if f[2] or at + after <= high or (idle and quietly) then
      -- waiting for the claim of another task on the same object is not in vain
      local by = f[2] == 'waiting' and 0 or 1
      local times = redis.call('HINCRBY', S .. 'm:' .. mid, i .. ':x', by)
      if times > most and not keep then
        vain[#vain + 1] = mid
      elseif #due < 500 then
        due[#due + 1] = again(mid, i)
      end
    end
  end
end
if #due == 0 and #vain == 0 then return {due, vain} end
count('forwards:again', #due)
return remember(token, {due, vain})
