-- Delete the fields of an object's state whose names match a pattern.

local function delete_fields(state, pattern)
  for _, name in ipairs(redis.call('HKEYS', state)) do
    if string.find(name, pattern) then redis.call('HDEL', state, name) end
  end
end
