"""Handles SIGTERM and SIGINT in a thread.

A signal handler interrupts the main thread, which may hold any lock, so the handler can do almost
nothing.  Therefore Python writes the signal's number into a socket, and a thread reads it.
"""

import math
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

HANDLED = (signal.SIGTERM, signal.SIGINT)

SAME = 0.5
"""Seconds within which signals count as one: ``timeout`` sends one to the process and one to its
group."""


class Signals:
    """Calls *on_signal* from its thread, with the number of signals so far."""

    def __init__(self, on_signal: Callable[[int], None]) -> None:
        self._on_signal = on_signal
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Install the handlers; call it in the main thread."""
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in HANDLED:
            self._before[number] = signal.signal(number, _ignore)
        self._thread = threading.Thread(target=self._read, name="signals", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Restore the handlers of before."""
        for number in HANDLED:
            signal.signal(number, self._before[number])
        signal.set_wakeup_fd(self._wakeup)
        self._writer.close()
        self._thread.join()
        self._reader.close()

    def _read(self) -> None:
        times, last = 0, -math.inf
        while numbers := self._reader.recv(16):
            if any(number in HANDLED for number in numbers) and time.monotonic() - last > SAME:
                times, last = times + 1, time.monotonic()
                self._on_signal(times)


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set, which end nothing by themselves meanwhile."""
    stopping = threading.Event()
    signals = Signals(lambda _: stopping.set())
    signals.listen()
    try:
        yield stopping
    finally:
        signals.close()


def _ignore(*_: object) -> None:
    """Do nothing: Python has written the number into the socket."""
