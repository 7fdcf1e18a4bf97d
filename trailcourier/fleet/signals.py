"""SIGTERM and SIGINT, heard in a thread of their own.

What a signal handler may do in the main thread is next to nothing: it interrupts whatever holds a
lock there.  So Python writes the signal's number into a socket, and a thread reads it.
"""

import math
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

HEARD = (signal.SIGTERM, signal.SIGINT)

AGAIN = 0.5
"""Seconds within which signals count once: ``timeout`` sends one to the process and then to its
group, and means one."""


class Signals:
    """Calls *heard* with how many signals came so far, from another thread."""

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._heard = heard
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Begin; the main thread alone may."""
        self._ear, self._mouth = socket.socketpair()
        self._mouth.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        for number in HEARD:
            self._before[number] = signal.signal(number, _nothing)
        self._thread = threading.Thread(target=self._read, name="signals", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let signals mean again what they meant before."""
        for number in HEARD:
            signal.signal(number, self._before[number])
        signal.set_wakeup_fd(self._wakeup)
        self._mouth.close()
        self._thread.join()
        self._ear.close()

    def _read(self) -> None:
        times, last = 0, -math.inf
        while numbers := self._ear.recv(16):
            if any(number in HEARD for number in numbers) and time.monotonic() - last > AGAIN:
                times, last = times + 1, time.monotonic()
                self._heard(times)


def _nothing(*_: object) -> None:
    """Say nothing: the socket has it."""
