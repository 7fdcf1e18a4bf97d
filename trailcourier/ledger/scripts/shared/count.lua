-- Add to one of the source's sums.
-- include: source

local function count(field, by) redis.call('HINCRBY', S .. 'sums', field, by) end
