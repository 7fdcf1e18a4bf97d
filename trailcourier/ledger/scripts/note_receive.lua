-- Note a receive; those in a row that brought nothing new are counted.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    token, '1' if it brought something new
-- answer  nothing
-- twice   the token is kept: it counts once
-- include: source, once

local token, news = ARGV[1], ARGV[2] == '1'
if remembered(token) then return end
if news then redis.call('DEL', S .. 'quiet') else redis.call('INCR', S .. 'quiet') end
remember(token, 1)
