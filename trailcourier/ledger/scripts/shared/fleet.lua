-- G: the prefix of the keys that belong to no source.

local G = KEYS[1]
