"""Why objects are parked and messages hidden in SQS, in words, and what to do."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from trailcourier.ledger.left_messages import EARLY, LATER, PATIENCE, LeftTotals
from trailcourier.ledger.parked import ParkedObject
from trailcourier.reasons import advice
from trailcourier.text import age, printable

NAMED = 100  # parked objects that are looked at
BUCKETS_NAMED = 5


def describe_parked(waiting: Sequence[ParkedObject], named: Collection[str] = ()) -> Iterator[str]:
    """Describe each cause of *waiting* once.

    Objects behind a breaker in *named*, or behind one with a wider scope there, are left out, as it
    was described already.
    """
    alike: dict[tuple[str, str], list[ParkedObject]] = defaultdict(list)
    for each in waiting:
        if not _is_described(each.breaker, named):
            alike[each.reason, each.breaker].append(each)
    for (reason, breaker), those in alike.items():
        first = those[0]
        words = first.detail.removeprefix(f"{first.ref}: ").rstrip(".")
        why = f": {printable(words)}" if words else ""
        count = "1 object is" if len(those) == 1 else f"{len(those):,} objects are"
        example = "" if len(those) == 1 else "for example "
        text = f"{count} parked ({reason}), {example}{printable(first.ref)}{why}."
        yield f"{text} {advice(reason, breaker)}".rstrip()


def _is_described(breaker: str, named: Collection[str]) -> bool:
    """Whether *breaker*, that of all hosts, or that of its whole bucket is in *named*."""
    shared = breaker.partition("@")[0]
    whole = shared.rpartition("/")[0] if shared.startswith("bucket:") else shared
    return any(each in named for each in (breaker, shared, whole))


def describe_hidden(found: LeftTotals) -> Iterator[str]:
    """Describe the messages hidden in SQS, if any: why, and when each comes back."""
    if not found.messages:
        return
    some = [f"{printable(x.bucket)} ({x.messages:,})" for x in found.buckets[:BUCKETS_NAMED]]
    if (more := len(found.buckets) - BUCKETS_NAMED) > 0:
        some.append(f"{more:,} more")
    often = sum(each.often for each in found.buckets)
    later = (
        f"; {often:,} of them, received more than {EARLY} times, {age(LATER / 1000)} after they "
        "were hidden at the earliest, once no object of the bucket is parked and one was delivered"
    )
    are = "is" if found.messages == 1 else "are"
    yield (
        f"{plural(found.messages, 'message')} {are} hidden in SQS, because too many objects of the "
        f"same bucket and account are parked: {', '.join(some)}. Workers release them when the "
        f"bucket's breaker closes, or after {age(PATIENCE / 1000)} while few of its objects are "
        f"parked{later if often else ''}. SQS shows the last one again within "
        f"{age(found.seconds)}. Repair what keeps those objects parked."
    )


def plural(number: int, noun: str) -> str:
    """Return *number* with *noun*, in the plural unless *number* is 1."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
