"""What `quarantine` prints of an entry."""

from collections.abc import Iterator, Sequence

import msgspec

from trailcourier.cli import output
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.operations.rejected import RejectedEvents
from trailcourier.reasons import REASONS, advice

SHORT = 12  # characters of an id; entries of one object in several contents share 24
RETRY = "`trailcourier quarantine retry`"
UNKNOWN_REASON = "Use the version that refused it: this one does not know the reason."


def rows(found: Sequence[tuple[str, QuarantineEntry]]) -> list[Sequence[str]]:
    """Return a heading and a row for each entry; the last column has what was refused, and why."""
    ids = [entry.id for _, entry in found]
    heading = ("id", "source", "reason", "times", "since", "last seen", "what: detail")
    return [heading, *(_row(name, entry, ids) for name, entry in found)]


def entry_lines(name: str, entry: QuarantineEntry, events: RejectedEvents) -> Iterator[str]:
    """Yield all that is known of *entry*, and what to do."""
    reason = REASONS.get(entry.reason)
    times = "once" if entry.times == 1 else f"{entry.times:,} times"
    yield f"{entry.id}  ({entry.kind} of source {name})"
    yield f"what:    {entry.what}"
    yield f"reason:  {entry.reason}. {reason.text if reason else ''}".rstrip()
    yield f"detail:  {entry.detail}"
    yield f"seen:    {times}, {output.when(entry.first)} to {output.when(entry.last)}"
    yield f"to do:   {what_to_do(entry)}"
    if entry.messages:
        more = entry.messages_in_all - len(entry.messages)
        before = f" and {more} earlier" if more > 0 else ""
        yield f"queue:   message {', '.join(entry.messages)}{before}"
    for title, text in (("sender", entry.sender), ("topic", entry.topic), ("body", entry.body)):
        if text:
            yield f"{title + ':':8} {text}"
    if entry.confirm:
        yield f"command: {entry.confirm}"
    yield from _record_lines(entry, events)


def what_to_do(entry: QuarantineEntry) -> str:
    """Return the advice for *entry*, with the command that ends it."""
    text = advice(entry.reason) or UNKNOWN_REASON
    if RETRY in text:
        return text.replace(RETRY, f"`trailcourier quarantine retry {entry.id}`")
    if "quarantine retry" in text:
        return text
    return f"{text} `trailcourier quarantine drop {entry.id}` removes this entry."


def as_json(
    name: str, entry: QuarantineEntry, events: RejectedEvents | None = None
) -> dict[str, object]:
    """Return *entry* for JSON; with *events* also its rejected records by name."""
    found = {"source": name, **msgspec.to_builtins(entry), "advice": advice(entry.reason)}
    if events is not None:
        found |= {"to_do": what_to_do(entry), "rejected": msgspec.to_builtins(events.events)}
        found |= {"note": events.note}
    return found


def _row(name: str, entry: QuarantineEntry, ids: Sequence[str]) -> Sequence[str]:
    detail = entry.detail.removeprefix(f"{entry.what}: ")
    what = f"{entry.what}: {detail}" if detail else entry.what
    times = f"{entry.times:,}"
    since, last = output.when(entry.first), output.when(entry.last)
    return _short(entry.id, ids), name, entry.reason, times, since, last, what


def _short(id_: str, ids: Sequence[str]) -> str:
    """Return the shortest prefix of an id that no other of *ids* has."""
    others = {each for each in ids if each != id_}
    lengths = range(SHORT, len(id_))
    return next(
        (id_[:n] for n in lengths if not any(other.startswith(id_[:n]) for other in others)), id_
    )


def _record_lines(entry: QuarantineEntry, events: RejectedEvents) -> Iterator[str]:
    for each in events.events:
        named = {"eventID": each.event_id, "eventName": each.event_name}
        which = ", ".join(f"{key} {value}" for key, value in named.items() if value)
        yield (
            f"record {each.ordinal}{f' ({which})' if which else ''}, refused by {each.sink}: "
            f"{each.words}"
        )
    if entry.records_in_all > len(entry.records):
        yield f"... and {entry.records_in_all - len(entry.records)} more records"
    if events.note:
        yield events.note
