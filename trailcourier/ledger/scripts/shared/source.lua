-- S: the prefix of the keys of this source.

local S = KEYS[2]
