"""A process that delivers objects to one sink, batch by batch, when the test says so.

``courier.py CONFIG OBJECTS [fork]``: *OBJECTS* is a list of (key, batches), each batch a list of
records.  After each batch it writes ``sent`` to standard error and waits for a line on standard
input; standard output belongs to the sink.  With ``fork`` a forked child delivers each object, all
at the same time.
"""

import json
import os
import sys

from pydantic import TypeAdapter

from tests.support import receiver
from trailcourier import sinks
from trailcourier.aws.network import Network
from trailcourier.models import ObjectRef, Origin


def deliver(sink, key, batches):
    delivery = sink.start(Origin("prod", ObjectRef("acme-cloudtrail", key), f"etag-of-{key}"))
    for batch in batches:
        delivery.send([record.encode() for record in batch])
        print("sent", file=sys.stderr, flush=True)
        sys.stdin.readline()
    delivery.finish()


def deliver_forked(sink, objects):
    children = []
    for key, batches in objects:
        pid = os.fork()
        if not pid:
            deliver(sink, key, batches)
            os._exit(0)
        children.append(pid)
    for pid in children:
        _, status = os.waitpid(pid, 0)
        assert status == 0


def main():
    receiver.join()
    config = TypeAdapter(sinks.SinkConfig).validate_python(json.loads(sys.argv[1]))
    sink, objects = sinks.open_sink("archive", config, Network()), json.loads(sys.argv[2])
    if "fork" in sys.argv:
        deliver_forked(sink, objects)
    else:
        for key, batches in objects:
            deliver(sink, key, batches)


if __name__ == "__main__":
    main()
