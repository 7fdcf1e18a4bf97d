"""Entries of quarantine, as scripts take them."""

import msgspec

from trailcourier.ledger.store import Store
from trailcourier.models import ObjectRef


def room(store: Store) -> bytes:
    """How many entries are kept, as scripts take it."""
    numbers = store.numbers
    return msgspec.json.encode(
        {
            "details": numbers.quarantine_entries,
            "remembered": numbers.quarantine_remembered,
            "messages": numbers.quarantine_messages,
        }
    )


def encoded_ref(ref: ObjectRef | None) -> bytes:
    """What a retry needs to know of an object."""
    return msgspec.json.encode(ref) if ref else b""
