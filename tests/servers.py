"""Real servers on 127.0.0.1 for tests: each waits until it answers and is ended by its pid."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trailcourier import broker


@contextlib.contextmanager
def valkey(directory: Path | None = None, *, persist: bool = False) -> Iterator[broker.Embedded]:
    """A broker of one's own; kill it with ``child.kill(it.process)``, ``start()`` it again."""
    with contextlib.ExitStack() as stack:
        where = directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield stack.enter_context(broker.embedded(where, persist=persist))
