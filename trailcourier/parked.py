"""What parked objects and the messages left for them wait for, in words, and what to do."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from trailcourier.dispositions import advice
from trailcourier.ledger.left import EARLY, LATER, PATIENCE, LeftMessages
from trailcourier.ledger.parked import Waiting
from trailcourier.printable import age, printable

NAMED = 100  # parked objects that are looked at
BUCKETS_NAMED = 5


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


def left(found: LeftMessages) -> Iterator[str]:
    """Say how many messages are left to the queue, why, and when they come back; once, if any."""
    if not found.messages:
        return
    some = [f"{printable(x.bucket)} ({x.messages:,})" for x in found.buckets[:BUCKETS_NAMED]]
    if (more := len(found.buckets) - BUCKETS_NAMED) > 0:
        some.append(f"{more:,} more")
    often = sum(each.often for each in found.buckets)
    later = (
        f"; {often:,} that were received more than {EARLY} times, {age(LATER / 1000)} after they "
        "were left at the earliest, once none is parked and others were delivered"
    )
    yield (
        f"The queue hides {plural(found.messages, 'message')} left to it, as too many objects of "
        f"their bucket and account are parked: {', '.join(some)}. They are handed back "
        f"when its breaker closes, or after {age(PATIENCE / 1000)} while few of its objects are "
        f"parked{later if often else ''}. The last comes back by itself within "
        f"{age(found.seconds)}. Repair what keeps those objects parked."
    )


def plural(number: int, noun: str) -> str:
    """*number* of what *noun* names."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
