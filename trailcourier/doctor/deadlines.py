"""Calls with a timeout."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

R = TypeVar("R")


def run_within(seconds: float, do: Callable[[], R]) -> R:
    """Call *do* in a thread, and return what it returns or raise what it raises.

    Raises TimeoutError if it takes longer than *seconds*; the call then goes on in its daemon
    thread, which does not keep the process alive.  A thread is needed because a DNS lookup has no
    timeout of its own.
    """
    return start_thread(do).result(timeout=max(0.0, seconds))


def start_thread(do: Callable[[], R]) -> "Future[R]":
    """Call *do* in a daemon thread of its own."""
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(do())
        except BaseException as error:  # noqa: BLE001 - Future.result() raises it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
