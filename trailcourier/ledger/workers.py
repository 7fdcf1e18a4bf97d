"""Who is at work: the processes of a fleet, as each tells the ledger of itself."""

from trailcourier.ledger.store import Script, Store

ALIVE = """
local function alive_threads(alive)
  local threads, workers = 0, redis.call('HGETALL', G .. 'workers')
  for a = 1, #workers, 2 do
    local heard, carries = string.match(workers[a + 1], '^(%d+)|(%d+)$')
    if tonumber(heard) >= NOW - alive then
      threads = threads + tonumber(carries)
    elseif tonumber(heard) < NOW - 3600000 then redis.call('HDEL', G .. 'workers', workers[a]) end
  end
  return threads
end
"""

HEARTBEAT = Script("""
redis.call('HSET', G .. 'workers', ARGV[1], string.format('%d|%d', NOW, ARGV[2]))
""")

THREADS = Script(ALIVE + "return alive_threads(tonumber(ARGV[1]))")


class Workers:
    """The workers of all sources: they belong to none."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def heartbeat(self, worker: str, threads: int) -> None:
        """Say that *worker* is alive, with so many object threads; all sources know of it."""
        self._store.call(HEARTBEAT, worker, threads)

    def gone(self, worker: str) -> None:
        """Say that *worker* is leaving."""
        self._store.client.hdel(f"{self._store.everyone}workers", worker)

    def threads(self) -> int:
        """How many objects all live workers together carry at once."""
        return int(self._store.call(THREADS, self._store.numbers.heartbeat * 1000))
