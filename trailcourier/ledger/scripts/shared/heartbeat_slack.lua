-- How far in the future a heartbeat may lie (ms): the clock may be slewed. See SLACK in workers.py.

local SLACK = 10000
