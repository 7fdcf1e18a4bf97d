"""The same work in one process with nothing round it: ``python -m bench.bare``.

The same pieces, open from the same configuration: queue, reader, records, filter and sinks.  One
thread receives by tens; as many threads as an object worker has carry; who ends the tenth object
deletes ten messages.  There is no Celery, no Redis, no ledger and no log, and nothing is made good.
"""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from trailcourier import notifications, records, wiring
from trailcourier.line import Line
from trailcourier.models import Message, ObjectRef, Origin
from trailcourier.wiring import lines

SOURCE = "bench"
AHEAD = 4  # objects in hand for each thread, as the line has

stopping = threading.Event()


def carry(line: Line, ref: ObjectRef) -> None:
    """Read one object, and send what the filter lets through to every sink."""
    opened = line.reader.open(ref)
    log = records.open_log(opened.body(), line.limits)
    origin = Origin(line.source, ref, opened.etag)
    deliveries = [outlet.start(origin) for outlet in line.outlets]
    numbers = line.numbers
    for batch in log.batches(records=numbers.batch_records, size=numbers.batch_bytes):
        dropped = line.keep(batch.records)
        wanted = [
            (batch.first + at, record)
            for at, (record, rule) in enumerate(zip(batch.records, dropped, strict=True))
            if rule is None
        ]
        for outlet, delivery in zip(line.outlets, deliveries, strict=True):
            for _ in outlet.send(delivery, wanted, stopping=stopping):
                pass
    for delivery in deliveries:
        delivery.finish()


class Loop:
    """Receives, has the objects carried, and deletes what is done by tens."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._threads = wiring.settings().workers.threads
        self._room = threading.Semaphore(AHEAD * self._threads)
        self._done: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def run(self) -> None:
        with ThreadPoolExecutor(self._threads) as pool:
            while not stopping.is_set():
                came = self._line.queue.receive(most=10, wait=1, visibility=600)
                for message in came:
                    self._room.acquire()
                    pool.submit(self._message, message)
                if not came:
                    self._delete(at_least=1)

    def _message(self, message: Message) -> None:
        try:
            for ref in notifications.decode(message.body, most=5000).objects:
                carry(self._line, ref)
        finally:
            self._room.release()
        with self._lock:
            self._done.append((message.id, message.receipt))
        self._delete(at_least=10)

    def _delete(self, *, at_least: int) -> None:
        with self._lock:
            if len(self._done) < at_least:
                return
            done, self._done = self._done, []
        self._line.queue.delete(done)


def main() -> None:
    """Carry until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    Loop(lines.line(SOURCE)).run()


if __name__ == "__main__":
    main()
