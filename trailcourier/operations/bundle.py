"""The support bundle: a few text files, without secrets, in one archive."""

import io
import os
import tarfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

LAST_LINES = 2000  # of a log
LINE_BYTES = 4096  # of each of them


class BundleFile(msgspec.Struct, frozen=True):
    """One file of a bundle; *about* says for a person what is in it."""

    name: str
    about: str
    text: str

    @property
    def content(self) -> bytes:
        return self.text.encode("utf-8", "backslashreplace")


def write_bundle(path: Path, files: Sequence[BundleFile]) -> None:
    """Write *files* to a new archive at *path*, which this user alone may read; raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for each in files:
            entry = tarfile.TarInfo(f"{path.name.partition('.')[0]}/{each.name}")
            entry.size, entry.mode, entry.mtime = len(each.content), 0o600, int(time.time())
            archive.addfile(entry, io.BytesIO(each.content))


def read_last_lines(path: Path) -> str:
    """Return the last lines of the log at *path*; raises OSError."""
    with path.open("rb") as file:
        last = deque((line[:LINE_BYTES].rstrip(b"\n") for line in file), maxlen=LAST_LINES)
    return "".join(f"{line.decode(errors='backslashreplace')}\n" for line in last)
