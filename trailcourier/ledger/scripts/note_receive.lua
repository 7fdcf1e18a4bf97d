-- Count receives in a row that brought nothing new; one that brought something resets the count.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    token; '1' if it brought something new
-- answer  nothing
-- twice   the token is kept for a minute: a second call changes nothing
-- include: source, kept_answer

local token, news = ARGV[1], ARGV[2] == '1'
if recall_answer(token) then return end
if news then redis.call('DEL', S .. 'quiet') else redis.call('INCR', S .. 'quiet') end
keep_answer(token, 1)
