"""What there is to say of a source's quarantine, in words, and what to do."""

from collections.abc import Iterator, Mapping

from trailcourier.ledger import Ledger

FOLDERS_SAID = 5
FORGOTTEN = {
    "objects": ("quarantine:forgotten", "refused objects", "object_refused"),
    "messages": (
        "quarantine:messages-forgotten",
        "entries of messages that were not understood",
        "message_not_understood",
    ),
}
"""For each kind: its counter, what it counts, and how the log calls one."""


def forgotten(sums: Mapping[str, int]) -> dict[str, int]:
    """How many of each kind had no room at all, since this ledger began."""
    counted = {kind: sums.get(counter, 0) for kind, (counter, _, _) in FORGOTTEN.items()}
    return {kind: by for kind, by in counted.items() if by}


def remarks(ledger: Ledger) -> Iterator[str]:
    """What is in quarantine, and what had no room there."""
    refused, evicted = ledger.quarantine.size(), ledger.quarantine.evicted()
    if refused:
        without = f", {evicted} of them without details for want of room" if evicted else ""
        yield (
            f"{refused} refused{without}: `trailcourier quarantine list --source "
            f"{ledger.store.source}` says why."
        )
    if refused and (folders := ledger.sums.folders()):
        some = ", ".join(f"{name} ({by:,})" for name, by in list(folders.items())[:FOLDERS_SAID])
        yield (
            f"Keys of no known shape, by their folders, since this ledger began: {some}. If these "
            "are not CloudTrail's, narrow what announces them."
        )
    for kind, by in forgotten(ledger.sums.all()).items():
        _, what, event = FORGOTTEN[kind]
        yield (
            f"{by} {what} had no room in quarantine at all, since this ledger began. The log names "
            f"each, as {event}; their messages are in the queue, or in its dead-letter queue: move "
            "them back once the cause is repaired."
        )
