"""How much waits in the queue, as it was last asked; so that who watches need not ask SQS."""

from trailcourier.ledger.store import Script, Store
from trailcourier.models import QueueLimits

EVERY = 15_000  # ms between two questions of a whole fleet
KNOWN = 120_000  # ms; what is older is no longer true

DUE = Script("""
local key, token, every = S .. 'depth:asked', ARGV[1], tonumber(ARGV[2])
local deadline, asker = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
if ahead(deadline, every) then return asker == token and 1 or 0 end
redis.call('SET', key, string.format('%d|%s', NOW + every, token), 'PX', every * 4)
return 1
""")

PUT = Script("""
redis.call('HSET', S .. 'limits', 'kept', ARGV[3], 'receives', ARGV[4])
redis.call('SET', S .. 'depth', string.format('%d|%s', NOW + ARGV[2], ARGV[1]), 'PX', ARGV[2] * 2)
""")

LAST = Script("""
local deadline, depth = string.match(redis.call('GET', S .. 'depth') or '', '^(%d+)|(.*)$')
return ahead(deadline, tonumber(ARGV[1])) and depth or false
""")


class Depth:
    """The depth of one source's queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def due(self) -> bool:
        """Whether to ask the queue now; one caller is told so."""
        return bool(self._store.call(DUE, self._store.token(), EVERY))

    def put(self, visible: int, limits: QueueLimits = QueueLimits()) -> None:  # noqa: B008 - frozen
        """Note how many messages wait, and for how long the queue bears with them."""
        told = ("" if each is None else each for each in (limits.kept, limits.receives))
        self._store.call(PUT, visible, KNOWN, *told)

    def limits(self) -> QueueLimits:
        """What ends a message's life in the queue, as it was last asked."""
        told = self._store.client.hmget(f"{self._store.own}limits", "kept", "receives")
        return QueueLimits(*(int(each) if each else None for each in told))

    def last(self) -> int | None:
        """How many messages waited when the queue was last asked; None where nobody knows."""
        held = self._store.call(LAST, KNOWN)
        return None if held is None else int(held)
