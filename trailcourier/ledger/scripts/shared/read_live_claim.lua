-- Read the claim on an object while a forward works on it. Returns nil without a live one.
-- include: read_claim

local function read_live_claim(oid)
  local claim = read_claim(oid)
  return claim and claim.live and claim or nil
end
