-- Add to one of the source's counters.
-- include: source

local function add_to_sum(field, by) redis.call('HINCRBY', S .. 'sums', field, by) end
