"""Values that are made once and that several threads share."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

R = TypeVar("R")


class OnceCache:
    """A cache whose values are made once; threads that ask for one meanwhile wait for that call.

    They also share its error.  An error is kept only with *keep_errors*; else the next ``get``
    calls again.  More than *most* values are not kept: the least recently used goes first.
    """

    def __init__(self, *, most: int | None = None, keep_errors: bool = False) -> None:
        self._most = most
        self._keep_errors = keep_errors
        self._futures: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], R]) -> R:
        """Return the value for *key*, which *make* makes if there is none; raise what it raises.

        *make* may get other values of this cache, but not its own: it would wait for itself.
        """
        with self._lock:
            known = self._futures.get(key)
            future: Future[R] = known or Future()
            self._put(key, future)
        if known is None:
            self._fill(key, future, make)
        return future.result()

    def peek(self, key: Hashable) -> Any:
        """Return the value for *key*, or None if there is none yet."""
        future = self._futures.get(key)
        known = future is not None and future.done() and future.exception() is None
        return future.result() if future is not None and known else None

    def replace(self, key: Hashable, value: object) -> bool:
        """Store *value* for *key*; return whether it differs from the value before."""
        with self._lock:
            if self.peek(key) == value:
                return False
            future: Future[object] = Future()
            future.set_result(value)
            self._put(key, future)
        return True

    def clear(self) -> None:
        """Forget every value, also those that are being made."""
        with self._lock:
            self._futures.clear()

    def _put(self, key: Hashable, future: Future[Any]) -> None:
        self._futures.pop(key, None)
        self._futures[key] = future  # the last, because it is used now
        if self._most is not None and len(self._futures) > self._most:
            del self._futures[next(iter(self._futures))]

    def _fill(self, key: Hashable, future: Future[R], make: Callable[[], R]) -> None:
        try:
            future.set_result(make())
        except BaseException as error:  # noqa: BLE001 - raised for every thread that waits
            with self._lock:
                if not self._keep_errors and self._futures.get(key) is future:
                    del self._futures[key]
            future.set_exception(error)
