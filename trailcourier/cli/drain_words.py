"""What `run --drain` did, in words."""

from collections.abc import Iterator, Mapping, Sequence

from trailcourier.operations.drain import Drained
from trailcourier.operations.parked import plural

Counted = Mapping[str, int]

# what became of messages: the words, and the counters that they stand for
MESSAGES = (
    ("deleted", ("deleted",)),
    ("announced no log file", ("unread",)),
    ("refused, in the queue until its redrive policy moves them", ("left", "refused")),
    ("refused before", ("refused-before",)),
    ("that come again", ("failed", "full", "not-deleted", "released", "given-up", "lost")),
    ("received while they were held already", ("held-already",)),
    ("left", ("in-hand",)),
)
OBJECTS = (
    ("delivered", ("delivered",)),
    ("skipped", ("skipped",)),
    ("refused", ("refused",)),
    ("left", ("in-hand", "unfinished")),
)


def lines(drained: Drained) -> Iterator[str]:
    """Yield a line for objects, one for the records of each sink, and one for messages."""
    if not drained.objects.get("named") and not drained.messages.get("received"):
        yield "nothing to forward"
        return
    number = plural(drained.objects.get("named", 0), "object")
    yield f"{number}: {_listed(drained.objects, OBJECTS)}"
    for name, sink in drained.sinks.items():
        parts = ", ".join(f"{sink[each]:,} {each}" for each in ("delivered", "filtered", "refused"))
        more = f"; {sink['repaired']:,} refused before delivered now" * bool(sink.get("repaired"))
        yield f"{plural(drained.records.get('in', 0), 'record')} to {name}: {parts}{more}"
    hidden = f"; {drained.left:,} more hidden in SQS" if drained.left else ""
    yield (
        f"{plural(drained.messages.get('received', 0), 'message')}: "
        f"{_listed(drained.messages, MESSAGES)}{hidden}"
    )


def _listed(counted: Counted, rows: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    """Return how many there were of each row, with the reasons; the first one even if none was."""
    parts = []
    for number, (words, names) in enumerate(rows):
        found = {name: by for name, by in counted.items() if name.partition(":")[0] in names and by}
        if found or not number:
            parts.append(f"{sum(found.values()):,} {words}{_reasons(found)}")
    return ", ".join(parts)


def _reasons(found: Counted) -> str:
    """Return the reasons of *found* in brackets, with their numbers if there are several."""
    reasons = {name.partition(":")[2]: by for name, by in found.items() if ":" in name}
    if not reasons:
        return ""
    if len(reasons) == len(found) == 1:
        return f" ({next(iter(reasons))})"
    return f" ({', '.join(f'{by:,} {name}' for name, by in reasons.items())})"
