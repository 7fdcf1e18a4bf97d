"""Sums: what was counted, for `status` and for whoever must prove that nothing is missing."""

from collections.abc import Iterator, Mapping

from trailcourier.ledger.store import Script, Store
from trailcourier.models import Outcome

ADD = Script("""
if remembered(ARGV[1]) then return end
for a = 2, #ARGV, 2 do count(ARGV[a], ARGV[a + 1]) end
remember(ARGV[1], 1)
""")

SKIPS = Script("""
local token, reason, key = ARGV[1], ARGV[2], S .. 'skips'
local before = remembered(token)
if before then return before end
if redis.call('HGET', key, 'reason') ~= reason then
  redis.call('HSET', key, 'reason', reason, 'run', 0)
end
return remember(token, redis.call('HINCRBY', key, 'run', ARGV[3]))
""")


class Sums:
    """One source's counters."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def count(self, increments: Mapping[str, int]) -> None:
        """Count each field up."""
        if increments:
            flat = (part for item in increments.items() for part in item)
            self._store.call(ADD, self._store.token(), *flat)

    def all(self) -> dict[str, int]:
        """Every counter, and ``at:`` times in milliseconds."""
        held = self._store.client.hgetall(f"{self._store.own}sums")
        return {name.decode(): int(value) for name, value in held.items()}

    def skipped(self, reason: str, times: int) -> int:
        """Note skips of one reason in a row; the answer is how long the row is now."""
        return int(self._store.call(SKIPS, self._store.token(), reason, times))

    def skip_run(self) -> tuple[str, int]:
        """The reason of the latest skips, and how many in a row; a delivery ends the row."""
        reason, run = self._store.client.hmget(f"{self._store.own}skips", ["reason", "run"])
        return (reason.decode(), int(run)) if reason and run else ("", 0)


_BYTES = {"bytes:read": "bytes_read_total", "bytes:in": "bytes_inflated_total"}


def as_metrics(
    source: str, sums: Mapping[str, int], outcome: Outcome
) -> Iterator[tuple[str, int, dict[str, str]]]:
    """What one object's *sums* add to the metrics: name, by how much, and labels."""
    yield "records_read_total", sums.get("records:in", 0), {"source": source}
    for name, metric in _BYTES.items():
        labels = _kind({"source": source}, outcome.status, outcome.reason)
        yield metric, sums.get(name, 0), labels
    rules = under("records:filtered", sums)
    for sink, each in by_sink(sums).items():
        labels = {"source": source, "sink": sink}
        yield "records_truncated_total", each.get("truncated", 0), labels
        for status, why in (("delivered", ""), ("refused", outcome.reason)):
            # a later try delivers what an earlier one counted as refused: none comes back from that
            yield "records_total", max(0, each[status]), _kind(labels, status, why)
        for rule, by in rules.items():
            yield "records_total", by, _kind(labels, "filtered", rule)


def _kind(labels: dict[str, str], disposition: str, reason: str) -> dict[str, str]:
    return {**labels, "disposition": disposition, "reason": reason}


def under(prefix: str, sums: Mapping[str, int]) -> dict[str, int]:
    """The counters ``prefix:...``, by the rest of their name."""
    return {
        name.removeprefix(f"{prefix}:"): value
        for name, value in sorted(sums.items())
        if name.startswith(f"{prefix}:")
    }


def by_sink(sums: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Each sink's counters, those of nothing among them."""
    found: dict[str, dict[str, int]] = {}
    for name, value in under("sink", sums).items():
        sink, _, what = name.rpartition(":")
        found.setdefault(sink, dict.fromkeys(("delivered", "filtered", "refused"), 0))[what] = value
    return found
