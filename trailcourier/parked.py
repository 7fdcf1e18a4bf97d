"""What parked objects wait for, in words: how many, why, one of them, and what to do."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from trailcourier.dispositions import advice
from trailcourier.ledger.parked import Waiting
from trailcourier.printable import printable

NAMED = 100  # parked objects that are looked at


def causes(waiting: Sequence[Waiting], told: Collection[str] = ()) -> Iterator[str]:
    """Say each cause of *waiting* once, but for what waits behind breakers *told* of already."""
    alike: dict[tuple[str, str], list[Waiting]] = defaultdict(list)
    for each in waiting:
        if each.breaker not in told:
            alike[each.reason, each.breaker].append(each)
    for (reason, breaker), those in alike.items():
        first = those[0]
        words = first.detail.removeprefix(f"{first.ref}: ").rstrip(".")
        why = f": {printable(words)}" if words else ""
        named = f"{len(those)} as {reason}, {printable(first.ref)} among them{why}."
        yield f"{named} {advice(reason, breaker)}".rstrip()
