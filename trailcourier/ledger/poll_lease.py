"""The poll lease: who polls a source, so that one does at a time."""

from trailcourier.ledger.store import Script, Store

LIFE = 10_000  # ms; who polls renews it every few seconds, so a killed poller is soon replaced

TAKE = Script("""
local key, token, life = S .. 'poll:' .. ARGV[1], ARGV[2], tonumber(ARGV[3])
local renews = ARGV[4] == '1'
local deadline, holder = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
if holder ~= token and (renews or ahead(deadline, life)) then return 0 end
redis.call('SET', key, string.format('%d|%s', NOW + life, token), 'PX', life + 60000)
return 1
""")

RELEASE = Script("""
local key = S .. 'poll:' .. ARGV[1]
local _, holder = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
if holder == ARGV[2] then redis.call('DEL', key) end
""")


class PollLease:
    """One holder's wish to poll one source in one slot."""

    def __init__(self, store: Store, slot: int) -> None:
        self._store = store
        self._slot = slot
        self._token = store.token()

    def take(self) -> bool:
        """Take the lease; False where another holds it."""
        return bool(self._store.call(TAKE, self._slot, self._token, LIFE, 0))

    def renew(self) -> bool:
        """Hold it for longer; False where it was released or lost."""
        return bool(self._store.call(TAKE, self._slot, self._token, LIFE, 1))

    def release(self) -> None:
        """Give it up; the next tick's poll may begin."""
        self._store.call(RELEASE, self._slot, self._token)
