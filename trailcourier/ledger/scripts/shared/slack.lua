-- How far in the future a heartbeat may lie: the clock is set by degrees.  See SLACK in workers.py.

local SLACK = 10000
