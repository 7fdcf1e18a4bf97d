-- Say whether a digest is among those found; an empty digest, of a notification that names no
-- content, matches any.

local function has_digest(found, digest)
  if digest == '' then return found ~= '' end
  for at = 1, #found, 4 do
    if string.sub(found, at, at + 3) == digest then return true end
  end
  return false
end
