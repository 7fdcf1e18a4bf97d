-- Drop leases, and count what became of them.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, field of the sums ('' to count nothing); then messages
-- answer  how many of their objects were open
-- twice   the answer is kept
-- include: frees, source, clock, once, count, unpark, went_back, close_idle_breaker

local token, field, unfinished, scopes = ARGV[1], ARGV[2], 0, {}

local function forget(mid)
  local key = S .. 'm:' .. mid
  local n = tonumber(redis.call('HGET', key, 'n') or '0')
  for i = 0, n - 1 do
    redis.call('ZREM', S .. 'flight', mid .. '/' .. i)
    local scope = redis.call('HGET', key, i .. ':p')
    if scope then scopes[scope] = true end
    unpark(mid, i)
  end
  redis.call('DEL', key)
  redis.call('ZREM', S .. 'leases', mid)
  redis.call('ZREM', S .. 'done', mid)
  redis.call('ZREM', S .. 'full', mid)
end

local before = remembered(token)
if before then return before end
for a = 3, #ARGV do
  local mid = ARGV[a]
  local f = redis.call('HMGET', S .. 'm:' .. mid, 'h', 'c', 'sent', 'o', 'f')
  if f[1] then
    unfinished = unfinished + tonumber(f[4])
    if f[1] ~= '' and field ~= '' then
      count(field, 1)
      if field == 'messages:deleted' then
        forget_return(mid)
      else
        local refused = field == 'messages:left' and 1 or 0
        went_back(mid, tonumber(f[2]), tonumber(f[3]), refused, tonumber(f[5]) or NOW)
      end
    end
  end
  forget(mid)
end
local given_up = {}
for scope in pairs(scopes) do
  given_up[#given_up + 1] = scope
  given_up[#given_up + 1] = string.match(scope, '^(bucket:.*)/[^/]*$')
end
table.sort(given_up)
for _, scope in ipairs(given_up) do close_idle_breaker(scope) end
if unfinished > 0 then count('objects:unfinished', unfinished) end
return remember(token, unfinished)
