"""Arguments about quarantine entries, encoded as scripts take them."""

import msgspec

from trailcourier.ledger.store import Store
from trailcourier.models import ObjectRef


def encode_limits(store: Store) -> bytes:
    """Encode how many entries quarantine keeps: with details, without them, and of messages."""
    numbers = store.numbers
    return msgspec.json.encode(
        {
            "details": numbers.quarantine_entries,
            "remembered": numbers.quarantine_remembered,
            "messages": numbers.quarantine_messages,
        }
    )


def encode_ref(ref: ObjectRef | None) -> bytes:
    """Encode what a retry needs to know of an object; empty without one."""
    return msgspec.json.encode(ref) if ref else b""
