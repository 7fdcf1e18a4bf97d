"""Breakers: what fails is left alone for a while; the rest goes on."""

from collections.abc import Collection

import msgspec

from trailcourier.ledger.store import Script, Store


class Breaker(msgspec.Struct, frozen=True):
    """One breaker that is open; times are milliseconds."""

    name: str
    since: int
    reason: str
    text: str


FAILED = Script("""
if fail(ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]) then return 1 end
return 0
""")

SUCCEEDED = Script("return succeed(ARGV[1]) and 1 or 0")

RESET = Script("""
local key = G .. 'b:' .. ARGV[1]
redis.call('DEL', key .. ':f')
if redis.call('HDEL', key, 'open', 'reason', 'text', 'probe') > 0 then
  redis.call('HSET', key, 'closed', NOW)
end
""")


class Breakers:
    """The breakers of one source's queue and buckets, and of its sinks, which sources share."""

    def __init__(self, store: Store, sinks: Collection[str] | None) -> None:
        self._store = store
        self._sinks = sinks

    def failed(self, name: str, what: str, *, reason: str, text: str, limit: int = 0) -> bool:
        """Count a failure of *what*; True where this one opens the breaker.

        *limit* failures do; left out, as many as the configuration says.
        """
        limit = limit or self._store.numbers.breaker_failures
        return bool(self._store.call(FAILED, name, what, limit, reason, text[:500]))

    def succeeded(self, name: str) -> bool:
        """Close the breaker; True where it was open."""
        return bool(self._store.call(SUCCEEDED, name))

    def reset(self, name: str) -> None:
        """Close the breaker for a fresh try; no success is claimed by that."""
        self._store.call(RESET, name)

    def open(self) -> list[Breaker]:
        """Every open breaker that holds this source up, or may."""
        client, prefix = self._store.client, f"{self._store.everyone}b:"
        found = []
        for key in client.scan_iter(match=f"{prefix}*", count=500, _type="HASH"):
            name = key.decode().removeprefix(prefix)
            since, reason, text = client.hmget(key, ["open", "reason", "text"])
            if since and self._concerns(name):
                found.append(Breaker(name, int(since), reason.decode(), text.decode()))
        return sorted(found, key=lambda breaker: breaker.name)

    def _concerns(self, name: str) -> bool:
        kind, _, rest = name.partition(":")
        if kind == "sink":
            return self._sinks is None or rest in self._sinks
        return rest.partition(":")[0] == self._store.source
