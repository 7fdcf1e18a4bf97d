-- S: what the keys of this source begin with.

local S = KEYS[2]
