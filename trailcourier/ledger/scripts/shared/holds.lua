-- Whether a digest is among those found; any are enough where the notice names no content.

local function holds(found, digest)
  if digest == '' then return found ~= '' end
  for at = 1, #found, 4 do
    if string.sub(found, at, at + 3) == digest then return true end
  end
  return false
end
