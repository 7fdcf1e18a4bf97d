-- Read the ledger's clock.
--
-- KEYS    prefix of the fleet's keys (G), prefix of the source's keys (S)
-- ARGV    none
-- answer  now (ms)
-- twice   it writes nothing
-- include: clock

return NOW
