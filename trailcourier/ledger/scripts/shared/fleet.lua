-- G: what the keys that belong to no source begin with.

local G = KEYS[1]
