"""What a source's quarantine holds, in words, and what to do."""

from collections.abc import Iterator, Mapping

from trailcourier.ledger import Ledger

FOLDERS_NAMED = 5
FORGOTTEN = {
    "objects": ("quarantine:forgotten", "refused objects", "object_refused"),
    "messages": (
        "quarantine:messages-forgotten",
        "messages that were not understood",
        "message_not_understood",
    ),
}
"""For each kind: its counter, what the counter counts, and the log event that names each one."""


def forgotten(sums: Mapping[str, int]) -> dict[str, int]:
    """Return how many of each kind had no room in quarantine, since this ledger began."""
    counted = {kind: sums.get(counter, 0) for kind, (counter, _, _) in FORGOTTEN.items()}
    return {kind: by for kind, by in counted.items() if by}


def remarks(ledger: Ledger) -> Iterator[str]:
    """Describe what is in quarantine, and what had no room there."""
    entries, evicted = ledger.quarantine.count(), ledger.quarantine.count_evicted()
    if entries:
        without = f", {evicted} of them without details because it is full" if evicted else ""
        yield (
            f"Quarantine has {entries} {'entry' if entries == 1 else 'entries'}{without}: "
            f"`trailcourier quarantine list --source {ledger.store.source}` says why."
        )
    if entries and (folders := ledger.sums.read_folders()):
        some = ", ".join(f"{name} ({by:,})" for name, by in list(folders.items())[:FOLDERS_NAMED])
        yield (
            "Keys of no known shape were announced since this ledger began, by folder: "
            f"{some}. If these are not CloudTrail's, narrow the notification that announces them."
        )
    for kind, by in forgotten(ledger.sums.read()).items():
        _, what, event = FORGOTTEN[kind]
        yield (
            f"Quarantine had no room for some {what} ({by:,} since this ledger began). The log "
            f"names each as {event}. Their messages are in the queue or in its dead-letter queue: "
            "repair the cause, then move them back with `trailcourier dlq redrive`."
        )
