-- The claim on an object that somebody works on.
-- include: claim_on

local function held_claim(oid)
  local claim = claim_on(oid)
  return claim and claim.live and claim or nil
end
