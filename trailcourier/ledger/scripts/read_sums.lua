-- Read every counter, and how much is in hand, as of one moment. MULTI would not do: it needs
-- memory, so a full broker refuses it.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    none
-- answer  counters and values (as HGETALL); objects in flight; objects parked; messages leased
-- twice   it writes nothing
-- include: source

return {redis.call('HGETALL', S .. 'sums'), redis.call('ZCARD', S .. 'flight'),
  redis.call('ZCARD', S .. 'parked'), redis.call('ZCARD', S .. 'leases')}
