"""Work that is given a time and no more."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

R = TypeVar("R")


def within(seconds: float, do: Callable[[], R]) -> R:
    """Return what *do* returns, or raise what it raises.

    Raises TimeoutError where it takes longer; it is then left to itself, in a thread that keeps
    no process from ending.  A lookup of a name has no deadline of its own.
    """
    return start(do).result(timeout=max(0.0, seconds))


def start(do: Callable[[], R]) -> "Future[R]":
    """Do it in a thread of its own."""
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(do())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class Known:
    """What was asked once; who asks for the same meanwhile waits for its answer."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], R]) -> R:
        """Return what *make* returned, or raise what it raised, when *key* was asked for first."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                mine: Future[R] = Future()
                self._kept[key] = mine
        if kept is not None:
            found: R = kept.result()
            return found
        try:
            mine.set_result(make())
        except BaseException as error:  # noqa: BLE001 - raised for everybody who asks
            mine.set_exception(error)
        return mine.result()
