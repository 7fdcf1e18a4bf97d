"""A process that delivers objects into one sink, batch by batch, as it is told.

``courier.py CONFIG OBJECTS``: *OBJECTS* is a list of (key, batches), each a list of records.  After
each batch it says so on standard error and waits for a line; standard output is the sink's.
With ``fork`` as third argument each object is delivered by a forked child, at once.
"""

import json
import os
import sys

from pydantic import TypeAdapter

from tests import receiver
from trailcourier import sinks
from trailcourier.egress import Egress
from trailcourier.models import ObjectRef, Origin


def deliver(outlet, key, batches):
    delivery = outlet.start(Origin("prod", ObjectRef("acme-cloudtrail", key), f"etag-of-{key}"))
    for batch in batches:
        delivery.send([record.encode() for record in batch])
        print("sent", file=sys.stderr, flush=True)
        sys.stdin.readline()
    delivery.finish()


def deliver_forked(outlet, objects):
    children = []
    for key, batches in objects:
        pid = os.fork()
        if not pid:
            deliver(outlet, key, batches)
            os._exit(0)
        children.append(pid)
    for pid in children:
        _, status = os.waitpid(pid, 0)
        assert status == 0


def main():
    receiver.join()
    config = TypeAdapter(sinks.SinkConfig).validate_python(json.loads(sys.argv[1]))
    outlet, objects = sinks.outlet("archive", config, Egress()), json.loads(sys.argv[2])
    if "fork" in sys.argv:
        deliver_forked(outlet, objects)
    else:
        for key, batches in objects:
            deliver(outlet, key, batches)


if __name__ == "__main__":
    main()
