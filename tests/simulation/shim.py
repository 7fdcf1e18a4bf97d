"""What stands in front of every script: Lua that takes time from the run and not from the server.

It answers TIME and the ledger's own clock, and keeps the end of each key that has one.  The scripts
themselves run as they are.
"""

SHIM = r"""
local CLOCK = tonumber(KEYS[#KEYS])
KEYS[#KEYS] = nil
local redis = (function(real)
  local ends, call = 'sim:ends', real.call
  for _, key in ipairs(call('ZRANGEBYSCORE', ends, '-inf', CLOCK)) do
    call('DEL', key)
    call('ZREM', ends, key)
  end
  local function ending(key, ms)
    if call('EXISTS', key) == 0 then return 0 end
    pcall(call, 'ZADD', ends, CLOCK + ms, key)
    return 1
  end
  local function set(key, value, ...)
    local given, plain, ms, at = {...}, {}, nil, 1
    while at <= #given do
      local word = string.upper(tostring(given[at]))
      if word == 'PX' or word == 'EX' then
        ms = tonumber(given[at + 1]) * (word == 'EX' and 1000 or 1)
        at = at + 2
      else
        plain[#plain + 1] = given[at]
        at = at + 1
      end
    end
    local answer = call('SET', key, value, unpack(plain))
    if answer then
      if ms then ending(key, ms) else call('ZREM', ends, key) end
    end
    return answer
  end
  local function shimmed(name, key, ...)
    name = string.upper(name)
    if name == 'TIME' then
      return {string.format('%d', math.floor(CLOCK / 1000)),
              string.format('%d', (CLOCK % 1000) * 1000)}
    elseif name == 'MGET' and string.sub(key, -6) == ':clock' then
      return {string.format('%d', CLOCK), false}
    elseif name == 'SET' then return set(key, ...)
    elseif name == 'PEXPIRE' then return ending(key, tonumber((...)))
    elseif name == 'EXPIRE' then return ending(key, tonumber((...)) * 1000)
    elseif name == 'DEL' or name == 'UNLINK' then call('ZREM', ends, key, ...)
    end
    if key == nil then return call(name) end
    return call(name, key, ...)
  end
  return setmetatable({call = shimmed}, {__index = real})
end)(redis)
"""

COMMAND = "return redis.call(unpack(ARGV))"
"""A script for a command that is sent alone."""

COPY = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  redis.call('COPY', key, key, 'DB', ARGV[1], 'REPLACE')
end
"""
"""Copies everything into the database ARGV[1]."""
