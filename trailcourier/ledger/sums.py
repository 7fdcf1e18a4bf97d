"""Sums: counters of one source, for `status` and to prove that nothing is missing."""

from collections.abc import Iterator, Mapping

from trailcourier.ledger.script import Script
from trailcourier.ledger.store import Store
from trailcourier.models import Outcome

# what the mappings of `of_messages`, `of_objects` and `by_sink` hold, for a person to read
MESSAGES_HOLD = (
    "messages `received`, and what became of each: `deleted`, `unread:KIND` (deleted too), `left` "
    "(an object was refused), `refused:REASON`, and what comes again: `refused-before`, "
    "`held-already`, `failed`, `full` (too much of its bucket is parked), `not-deleted`, "
    "`released`, `given-up`, `lost`"
)
OBJECTS_HOLD = (
    "objects `named` by messages, and what became of each: `delivered`, `skipped:REASON`, "
    "`refused:REASON` (`quarantined`: refused before), `unfinished` (its message comes again)"
)
SINKS_HOLD = (
    "for each sink, records `delivered`, `filtered`, `refused`: all of `in`; `repaired` are those "
    "refused that a later try delivered, `truncated` those delivered that were cut to size"
)

FOLDERS_KEPT = 50  # of a source; objects in other folders are counted together

COUNT_SUMS = Script("count_sums")
COUNT_SKIPS = Script("count_skips")
COUNT_FOLDERS = Script("count_folders")
READ_SUMS = Script("read_sums")


class Sums:
    """Answers how many messages, objects and records of one source had which outcome."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def count(self, increments: Mapping[str, int]) -> None:
        """Add to each counter."""
        if increments:
            flat = (part for item in increments.items() for part in item)
            self._store.call(COUNT_SUMS, self._store.token(), *flat)

    def count_folders(self, unknown: Mapping[str, int]) -> None:
        """Count objects with keys of unknown form, for at most ``FOLDERS_KEPT`` folders."""
        if unknown:
            flat = (part for item in unknown.items() for part in item)
            self._store.call(COUNT_FOLDERS, self._store.token(), FOLDERS_KEPT, *flat)

    def read_folders(self) -> dict[str, int]:
        """Return the objects with keys of unknown form by folder, the largest number first."""
        held = _decoded(self._store.client.hgetall(f"{self._store.own}folders"))
        return dict(sorted(held.items(), key=lambda item: (-item[1], item[0])))

    def read(self) -> dict[str, int]:
        """Read every counter; those that begin with ``at:`` are times in milliseconds."""
        return _decoded(self._store.client.hgetall(f"{self._store.own}sums"))

    def read_with_in_hand(self) -> tuple[dict[str, int], tuple[int, int, int]]:
        """Read all counters, objects in flight, objects parked and messages leased, at once."""
        held, flight, parked, leases = self._store.call(READ_SUMS)
        pairs = zip(held[::2], held[1::2], strict=True)
        return _decoded(dict(pairs)), (flight, parked, leases)

    def count_skips(self, reason: str, times: int) -> int:
        """Count skips for one reason in a row; return how many there are now."""
        return int(self._store.call(COUNT_SKIPS, self._store.token(), reason, times))

    def read_skip_run(self) -> tuple[str, int]:
        """Return the reason of the latest skips, and how many in a row; a delivery ends the row."""
        reason, run = self._store.client.hmget(f"{self._store.own}skips", ["reason", "run"])
        return (reason.decode(), int(run)) if reason and run else ("", 0)


_BYTES = {"bytes:read": "bytes_read_total", "bytes:in": "bytes_inflated_total"}


def as_metrics(
    source: str, sums: Mapping[str, int], outcome: Outcome
) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield what one object's *sums* add to the metrics: name, increment, and labels."""
    yield "records_read_total", sums.get("records:in", 0), {"source": source}
    for name, metric in _BYTES.items():
        labels = _labels({"source": source}, outcome.status, outcome.reason)
        yield metric, sums.get(name, 0), labels
    rules = under("records:filtered", sums)
    for sink, each in by_sink(sums).items():
        labels = {"source": source, "sink": sink}
        yield "records_truncated_total", each.get("truncated", 0), labels
        yield "records_repaired_total", each.get("repaired", 0), labels
        for status, why in (("delivered", ""), ("refused", outcome.reason)):
            yield "records_total", each[status], _labels(labels, status, why)
        for rule, by in rules.items():
            yield "records_total", by, _labels(labels, "filtered", rule)


def _labels(labels: dict[str, str], disposition: str, reason: str) -> dict[str, str]:
    return {**labels, "disposition": disposition, "reason": reason}


def under(prefix: str, sums: Mapping[str, int]) -> dict[str, int]:
    """Return the counters ``prefix:...``, by the rest of their name."""
    return {
        name.removeprefix(f"{prefix}:"): value
        for name, value in sorted(sums.items())
        if name.startswith(f"{prefix}:")
    }


def _decoded(held: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in held.items()}


def of_messages(sums: Mapping[str, int]) -> dict[str, int]:
    """Count messages ``received`` and what became of them; those not in the sum are leased."""
    leases = under("leases", sums)
    ended = {name: leases[name] for name in ("released", "given-up", "lost") if name in leases}
    return {"received": 0} | under("messages", sums) | ended


def of_objects(sums: Mapping[str, int]) -> dict[str, int]:
    """Count objects ``named`` and their outcomes; those not in the sum are in flight or parked."""
    return {"named": 0, "delivered": 0} | under("objects", sums)


def by_sink(sums: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return each sink's counters, with 0 for what it did not count."""
    found: dict[str, dict[str, int]] = {}
    for name, value in under("sink", sums).items():
        sink, _, what = name.rpartition(":")
        found.setdefault(sink, dict.fromkeys(("delivered", "filtered", "refused"), 0))[what] = value
    return found
