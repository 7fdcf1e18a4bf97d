-- Drop leases, and count what became of their messages. A lease with another receipt than the one
-- given stays: its message was received again since the caller decided.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; counter to add to ('' for none). Then for each: message; receipt ('' for any)
-- answer  how many of their objects were still open
-- twice   the answer is kept under the token for a minute and given again
-- include: runs_when_full, source, clock, kept_answer, add_to_sum, unpark_object, note_return
-- include: close_idle_breaker

local token, field, unfinished, scopes = ARGV[1], ARGV[2], 0, {}

local function drop_lease(mid)
  local key = S .. 'm:' .. mid
  local n = tonumber(redis.call('HGET', key, 'n') or '0')
  for i = 0, n - 1 do
    redis.call('ZREM', S .. 'flight', mid .. '/' .. i)
    local scope = redis.call('HGET', key, i .. ':p')
    if scope then scopes[scope] = true end
    unpark_object(mid, i)
  end
  redis.call('DEL', key)
  redis.call('ZREM', S .. 'leases', mid)
  redis.call('ZREM', S .. 'done', mid)
  redis.call('ZREM', S .. 'full', mid)
end

local before = recall_answer(token)
if before then return before end
for a = 3, #ARGV, 2 do
  local mid, receipt = ARGV[a], ARGV[a + 1]
  local f = redis.call('HMGET', S .. 'm:' .. mid, 'h', 'c', 'sent', 'o', 'f')
  local stays = f[1] and receipt ~= '' and receipt ~= f[1]
  if f[1] and not stays then
    unfinished = unfinished + tonumber(f[4])
    if f[1] ~= '' and field ~= '' then
      add_to_sum(field, 1)
      if field == 'messages:deleted' then
        forget_return(mid)
      else
        local refused = field == 'messages:left' and 1 or 0
        note_return(mid, tonumber(f[2]), tonumber(f[3]), refused, tonumber(f[5]) or NOW)
      end
    end
  end
  if not stays then drop_lease(mid) end
end
local given_up = {}
for scope in pairs(scopes) do
  given_up[#given_up + 1] = scope
  given_up[#given_up + 1] = string.match(scope, '^(bucket:.*)/[^/]*$')
end
table.sort(given_up)
for _, scope in ipairs(given_up) do close_idle_breaker(scope) end
if unfinished > 0 then add_to_sum('objects:unfinished', unfinished) end
return keep_answer(token, unfinished)
