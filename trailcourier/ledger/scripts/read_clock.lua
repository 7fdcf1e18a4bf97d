-- The ledger's time.
--
-- KEYS    what the fleet's keys begin with, what the source's keys begin with
-- ARGV    none
-- answer  milliseconds
-- twice   it writes nothing
-- include: clock

return NOW
