"""Calls with a timeout, and answers that threads share."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

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


class OnceCache:
    """A cache whose values are made once; callers that ask for a value meanwhile wait for it."""

    def __init__(self) -> None:
        self._futures: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], R]) -> R:
        """Return the value for *key*, which the first caller's *make* makes.

        If that raised, raise the same for every caller.
        """
        with self._lock:
            known = self._futures.get(key)
            if known is None:
                mine: Future[R] = Future()
                self._futures[key] = mine
        if known is not None:
            value: R = known.result()
            return value
        try:
            mine.set_result(make())
        except BaseException as error:  # noqa: BLE001 - raised for every caller
            mine.set_exception(error)
        return mine.result()
