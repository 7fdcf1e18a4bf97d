-- Every counter, and how much is in hand, as of one moment.  A full broker would refuse MULTI,
-- which needs memory.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    none
-- answer  counters and values (as HGETALL), objects in flight, objects parked, messages leased
-- twice   it writes nothing
-- include: source

return {redis.call('HGETALL', S .. 'sums'), redis.call('ZCARD', S .. 'flight'),
  redis.call('ZCARD', S .. 'parked'), redis.call('ZCARD', S .. 'leases')}
