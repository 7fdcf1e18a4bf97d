"""Keeps a fleet running until it is told to stop."""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, Self

from trailcourier.host import supervised
from trailcourier.host.embedded_broker import EmbeddedBroker
from trailcourier.host.signals import Signals
from trailcourier.host.specs import ProcessSpec
from trailcourier.host.supervised import BROKER

INTERVAL = 0.1  # seconds between two checks of the processes
SHORT_GRACE = 1.0  # seconds for a process to stop after a second signal


class Fleet:
    """Runs its processes while the context is entered; leaving it stops them in order.

    SIGTERM and SIGINT set *stopping*; a second one kills all processes except the broker.  A
    process that ends is restarted after a pause.  One that ends five times in a minute sets
    *stopping* too, and leaving then raises Broken with its last output.  The output of the
    processes goes to *log*, by default stderr; *say* is called with what happens to them.

    The broker is kept running, and restarted, until the context is left: processes that stop may
    still need it.
    """

    def __init__(
        self,
        members: Sequence[ProcessSpec],
        *,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        log: BinaryIO | None = None,
        broker: EmbeddedBroker | None = None,
    ) -> None:
        self.stopping = threading.Event()
        self.processes = [supervised.for_broker(broker)] if broker else []
        self.processes += [
            supervised.for_member(each, environment, log or sys.stderr.buffer) for each in members
        ]
        self._say = say
        self._closing = threading.Event()
        self._killed = False
        self._failure: Exception | None = None
        self._signals = Signals(self._on_signal)
        self._watch = threading.Thread(target=self._supervise, name="fleet", daemon=True)

    def __enter__(self) -> Self:
        self._signals.listen()
        try:
            for each in self.processes:
                each.start()
        except BaseException:
            self._stop()
            raise
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stopping.set()
        self._closing.set()
        self._watch.join()
        self._stop()
        if self._failure is not None and kind is None:
            raise self._failure

    def _supervise(self) -> None:
        try:
            while not self._closing.wait(INTERVAL):
                for each in self.processes:
                    if self.stopping.is_set() and each.role != BROKER:
                        continue
                    if event := each.check():
                        self._say(event)
        except Exception as error:  # noqa: BLE001 - raised when the context is left
            self._failure = error
            self.stopping.set()

    def _stop(self) -> None:
        """Stop role by role, the last started first: what dispatches work before what does it."""
        for _, group in itertools.groupby(reversed(self.processes), key=lambda each: each.role):
            ending = list(group)
            for each in ending:
                each.terminate()
            grace = SHORT_GRACE if self._killed else max(each.grace for each in ending)
            deadline = time.monotonic() + grace
            for each in ending:
                each.end(deadline - time.monotonic())
        self._signals.close()

    def _on_signal(self, times: int) -> None:
        self.stopping.set()
        if times > 1:
            self._killed = True
            for each in self.processes:
                if each.role != BROKER:
                    each.kill()
