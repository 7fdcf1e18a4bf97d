"""The same work in one process without Celery, Redis, ledger or log: ``python -m bench.bare``.

It uses the same queue client, reader, parser, filter and sinks, from the same configuration.  One
thread receives ten messages at a time; as many threads as an object worker has deliver the
objects; the thread that completes the tenth message deletes ten.  There is no recovery.
"""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from trailcourier import notifications, records, wiring
from trailcourier.line import Line
from trailcourier.models import Message, ObjectRef, Origin
from trailcourier.sinks.batches import deliver
from trailcourier.wiring import lines

SOURCE = "bench"
OBJECTS_PER_THREAD = 4  # dispatched at a time, as in the line

stopping = threading.Event()


def deliver_object(line: Line, ref: ObjectRef) -> None:
    """Read one object, and send the records that pass the filter to every sink."""
    opened = line.reader.open(ref)
    log = records.open_log(opened.body(), line.log_limits)
    origin = Origin(line.source, ref, opened.etag)
    deliveries = [sink.start(origin) for sink in line.configured_sinks]
    numbers = line.numbers
    for batch in log.batches(records=numbers.batch_records, size=numbers.batch_bytes):
        dropped = line.find_dropping_rules(batch.records)
        wanted = [
            (batch.first + at, record)
            for at, (record, rule) in enumerate(zip(batch.records, dropped, strict=True))
            if rule is None
        ]
        for sink, delivery in zip(line.configured_sinks, deliveries, strict=True):
            for _ in deliver(delivery, wanted, sink.settings):
                pass
    for delivery in deliveries:
        delivery.finish()


class Loop:
    """Receives messages, delivers their objects in threads, and deletes messages by tens."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._threads = wiring.settings().workers.threads
        self._room = threading.Semaphore(OBJECTS_PER_THREAD * self._threads)
        self._done: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def run(self) -> None:
        """Receive until ``stopping`` is set."""
        with ThreadPoolExecutor(self._threads) as pool:
            while not stopping.is_set():
                received = self._line.queue.receive(most=10, wait=1, visibility=600)
                for message in received:
                    self._room.acquire()
                    pool.submit(self._process, message)
                if not received:
                    self._delete_done(at_least=1)

    def _process(self, message: Message) -> None:
        try:
            for ref in notifications.decode(message.body, max_objects=5000).objects:
                deliver_object(self._line, ref)
        finally:
            self._room.release()
        with self._lock:
            self._done.append((message.id, message.receipt))
        self._delete_done(at_least=10)

    def _delete_done(self, *, at_least: int) -> None:
        with self._lock:
            if len(self._done) < at_least:
                return
            done, self._done = self._done, []
        self._line.queue.delete(done)


def main() -> None:
    """Run until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    Loop(lines.line(SOURCE)).run()


if __name__ == "__main__":
    main()
