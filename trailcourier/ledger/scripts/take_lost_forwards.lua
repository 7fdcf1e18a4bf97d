-- Take forwards that were lost, and put their objects in flight again; each goes to one caller. A
-- forward is lost when its claim ended without an outcome, when it was never claimed although one
-- dispatched a while later was, or when nothing waits in the broker.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; '1' if no forward waits in the broker; how much later another forward that was
--         claimed must have been dispatched (ms); how long an object must be in flight where
--         nothing waits (ms); dispatches in vain at most; '1' if no message may be released
-- answer  a list with, for each object to dispatch: message; index; generation; reference (JSON).
--         Then the messages to release
-- twice   the answer is kept under the token for a minute and given again
-- include: fleet, source, clock, kept_answer, add_to_sum, read_live_claim, dispatch_again
-- include: split_member

local token, idle, after, quiet = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local most, keep = tonumber(ARGV[5]), ARGV[6] == '1'
local before = recall_answer(token)
if before then return before end
local high = math.min(NOW, tonumber(redis.call('GET', G .. 'high') or '0'))
local due, vain = {}, {}
for _, member in ipairs(redis.call('ZRANGE', S .. 'flight', 0, -1)) do
  local mid, i = split_member(member)
  local f = redis.call('HMGET', S .. 'm:' .. mid, i .. ':a', i .. ':k', i .. ':id', i .. ':o',
    i .. ':x')
  if not f[1] or f[4] then
    redis.call('ZREM', S .. 'flight', member)
  elseif not read_live_claim(f[3]) then
    local at = tonumber(f[1])
    local quietly = at + quiet <= NOW or at > NOW  -- later than now: the clock was set back since
    if f[2] or at + after <= high or (idle and quietly) then
      -- a forward that waits for another task's claim on the object was not in vain
      local by = f[2] == 'waiting' and 0 or 1
      local times = tonumber(f[5] or '0') + by
      if times > most and not keep then
        vain[#vain + 1] = mid
      elseif #due < 500 then
        redis.call('HSET', S .. 'm:' .. mid, i .. ':x', times)
        due[#due + 1] = dispatch_again(mid, i)
      end
    end
  end
end
if #due == 0 and #vain == 0 then return {due, vain} end
add_to_sum('forwards:again', #due)
return keep_answer(token, {due, vain})
