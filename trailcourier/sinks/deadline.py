"""The end of a wait, as a time of ``time.monotonic``."""

import contextlib
import time
from collections.abc import Iterator


def left(deadline: float) -> float:
    """Return the seconds until *deadline*; raises TimeoutError if there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


@contextlib.contextmanager
def within(words: str) -> Iterator[None]:
    """Have a TimeoutError say *words*."""
    try:
        yield
    except TimeoutError as error:
        raise TimeoutError(words) from error
