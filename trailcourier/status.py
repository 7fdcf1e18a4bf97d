"""How each source stands: what is in hand, what was done, what holds it up and what to do."""

from collections.abc import Mapping

import msgspec

from trailcourier.dispositions import REASONS
from trailcourier.ledger import Ledger
from trailcourier.ledger.breakers import Breaker

SKIPS_TO_MENTION = 100


class Standing(msgspec.Struct, frozen=True):
    """One source.  Ages are seconds and None where there is nothing of that age."""

    source: str
    in_flight: int
    parked: int
    messages: int
    quarantined: int
    oldest: float | None
    last_success: float | None
    records: Mapping[str, int]
    objects: Mapping[str, int]
    sinks: Mapping[str, Mapping[str, int]]
    breakers: tuple[Breaker, ...] = ()
    advice: tuple[str, ...] = ()
    workers: int = 0
    depth: int | None = None


def standing(ledger: Ledger, depth: int | None = None) -> Standing:
    """How the source of *ledger* stands; *depth* is how many messages wait in its queue."""
    sums, now = ledger.sums.all(), ledger.flow.now()
    flight, parked, leases = ledger.flow.in_hand()
    breakers = tuple(ledger.breakers.open())
    oldest, success = ledger.leases.oldest(), sums.get("at:success")
    workers = ledger.flow.threads()
    return Standing(
        source=ledger.store.source,
        in_flight=flight,
        parked=parked,
        messages=leases,
        quarantined=ledger.quarantine.size(),
        oldest=None if oldest is None else (now - oldest) / 1000,
        last_success=None if success is None else (now - success) / 1000,
        records=_under("records", sums),
        objects=_under("objects", sums),
        sinks=_by_sink(sums),
        breakers=breakers,
        advice=tuple(_advice(ledger, breakers, workers)),
        workers=workers,
        depth=depth,
    )


def _under(prefix: str, sums: Mapping[str, int]) -> dict[str, int]:
    """The counters ``prefix:...``, by the rest of their name."""
    return {
        name.removeprefix(f"{prefix}:"): value
        for name, value in sorted(sums.items())
        if name.startswith(f"{prefix}:")
    }


def _by_sink(sums: Mapping[str, int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, value in _under("sink", sums).items():
        sink, _, what = name.rpartition(":")
        found.setdefault(sink, {})[what] = value
    return found


def _advice(ledger: Ledger, breakers: tuple[Breaker, ...], workers: int) -> list[str]:
    advice = [
        f"{breaker.name} is open: {breaker.text}. {REASONS[breaker.reason].advice}"
        for breaker in breakers
    ]
    if not workers:
        advice.append(
            "No object worker is alive, so nothing is received. Start one: "
            "`celery -A tasks worker -Q objects`, or `trailcourier run` on a single host."
        )
    reason, run = ledger.sums.skip_run()
    if run >= SKIPS_TO_MENTION:
        advice.append(
            f"The last {run} objects were skipped as {reason} ({REASONS[reason].text}). If that "
            "is not intended, look at what the queue is subscribed to."
        )
    if ledger.flow.degraded():
        advice.append(
            "Visibility cannot be changed, so messages are received for an hour and nothing is "
            "given back early. Allow `sqs:ChangeMessageVisibility` on the queue."
        )
    quarantined = ledger.quarantine.size()
    if quarantined:
        advice.append(
            f"{quarantined} refused: `trailcourier quarantine list --source "
            f"{ledger.store.source}` says why."
        )
    return advice
