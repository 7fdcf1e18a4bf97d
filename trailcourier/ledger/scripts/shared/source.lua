-- S: the prefix of the keys of this source. schema.md describes each key and each field.

local S = KEYS[2]
