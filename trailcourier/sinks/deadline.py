"""Deadlines: when a wait must end, as a time of ``time.monotonic``."""

import contextlib
import time
from collections.abc import Iterator


def seconds_left(deadline: float) -> float:
    """Return the seconds until *deadline*; raises TimeoutError if it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


@contextlib.contextmanager
def timeout_message(text: str) -> Iterator[None]:
    """Give a TimeoutError of the block the message *text*."""
    try:
        yield
    except TimeoutError as error:
        raise TimeoutError(text) from error
