"""Send one marked test record to one sink, with the delivery settings it has in the line."""

import json
import uuid
from datetime import UTC, datetime

from trailcourier.errors import Fault
from trailcourier.models import ObjectRef, Origin
from trailcourier.sinks import ConfiguredSink, batches


def send(sink: ConfiguredSink) -> str:
    """Send a record that is marked as a test, and return its eventID; raises Fault."""
    record, event = _test_record()
    delivery = sink.start(Origin("sink-test", ObjectRef("sink-test", event), event))
    try:
        for piece in batches.deliver(delivery, [(0, record)], sink.settings):
            for refused in piece.refused:
                raise Fault(refused.reason, refused.detail)
        delivery.finish()
    finally:
        delivery.drop()
    return event


def _test_record() -> tuple[bytes, str]:
    """Return a record that is marked as a test, and its eventID."""
    event = str(uuid.uuid4())
    record = {
        "eventVersion": "1.11",
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "sink-test.trailcourier",
        "eventName": "TrailcourierSinkTest",
        "eventID": event,
        "eventType": "AwsServiceEvent",
        "additionalEventData": {"note": "A test of this sink; nothing happened in AWS."},
    }
    return json.dumps(record, separators=(",", ":")).encode(), event
