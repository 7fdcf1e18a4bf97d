"""One marked record to one sink, on the terms it has in the line."""

import json
import threading
import uuid
from datetime import UTC, datetime

from trailcourier.errors import Fault
from trailcourier.models import ObjectRef, Origin
from trailcourier.sinks import Outlet


def send(outlet: Outlet) -> str:
    """Send a record that says what it is, and return its eventID; raises Fault."""
    record, event = _marked()
    delivery = outlet.start(Origin("sink-test", ObjectRef("sink-test", event), event))
    try:
        for piece in outlet.send(delivery, [(0, record)], stopping=threading.Event()):
            for refused in piece.refused:
                raise Fault(refused.reason, refused.detail)
        delivery.finish()
    finally:
        delivery.drop()
    return event


def _marked() -> tuple[bytes, str]:
    """A record that says what it is, and its eventID."""
    event = str(uuid.uuid4())
    record = {
        "eventVersion": "1.11",
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "sink-test.trailcourier",
        "eventName": "TrailcourierSinkTest",
        "eventID": event,
        "eventType": "AwsServiceEvent",
        "additionalEventData": {"note": "A test of the way to this sink; nothing happened in AWS."},
    }
    return json.dumps(record, separators=(",", ":")).encode(), event
