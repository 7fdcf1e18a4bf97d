"""Files: one for each log file, written whole.

Delivery: an object's records count once its file has its name, all of them at once.  A second try
of an object ends in the same file with the same records, so a copy is never left beside it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from isal import isal_zlib
from pydantic import Field, field_validator

from trailcourier.egress import Egress
from trailcourier.errors import Fault
from trailcourier.models import Origin
from trailcourier.sinks.faults import fault
from trailcourier.sinks.places import location
from trailcourier.sinks.terms import Terms
from trailcourier.sinks.tries import Tries, Try, fsync_folder

MADE = 10_000  # folders remembered as made
BLOCK = 262_144  # bytes; what isal makes of a stream depends on how it was cut, so always alike


class File(Terms):
    """Write each log file's records to a file of newline-delimited JSON."""

    type: Literal["file"]
    path: Path = Field(description="the folder for all of it; made if the one it lies in is there")
    gzip: bool = Field(False, description="compress, and end names in `.ndjson.gz`")
    fsync: bool = Field(
        True,
        description="wait until the disk has a file before its records count; false risks the last "
        "seconds' files when the machine loses power",
    )
    retry_attempts: int = Field(
        1, ge=1, le=20, description="tries of one batch before its object is parked"
    )

    @field_validator("path")
    @classmethod
    def _usable(cls, value: Path) -> Path:
        if "\0" in str(value):
            raise ValueError("is no path: it has a null character in it")
        return Path(os.path.expanduser(value))  # noqa: PTH111 - Path.expanduser raises, for no user

    def open(self, name: str, egress: Egress) -> "FileSink":
        """Open it; *egress* matters to sinks beyond this host."""
        del egress
        return FileSink(name, self)


class FileSink:
    commits: Literal["batch", "object"] = "object"

    def __init__(self, name: str, config: File) -> None:
        self.name = name
        self._root = config.path.absolute()
        self._gzip = config.gzip
        self._folders = Folders(self._root, sync=config.fsync)
        self._tries = Tries(self._root / ".tries")

    def start(self, origin: Origin) -> "FileDelivery":
        place = location(origin)
        target = self._root / f"{place}.ndjson{'.gz' if self._gzip else ''}"
        try:
            self._root.mkdir(mode=0o750, exist_ok=True)
            one = self._tries.begin(target.name)
        except OSError as error:
            raise fault(error, sink=self.name, doing="write to", path=self._root) from error
        return FileDelivery(self.name, target, one, self._folders, Gzip() if self._gzip else None)

    def close(self) -> None:
        """Do nothing: only deliveries hold anything open."""


class FileDelivery:
    def __init__(
        self, sink: str, target: Path, one: Try, folders: "Folders", gzip: "Gzip | None"
    ) -> None:
        self._sink = sink
        self._target = target
        self._try = one
        self._folders = folders
        self._gzip = gzip
        self._compressed = b""

    def send(self, batch: Sequence[bytes]) -> None:
        if not batch:
            return
        lines = b"\n".join(batch) + b"\n"
        if self._gzip is None:
            self._append(lines)
        else:
            # what a compressor has taken it cannot give back, so all that may fail comes before
            self._append(self._compressed)
            self._compressed = b""
            self._compressed = self._gzip.feed(lines)

    def finish(self) -> None:
        if self._gzip is not None:
            self._compressed += self._gzip.end()
            self._gzip = None
        try:
            self._try.append(self._compressed)
            self._folders.make(self._target.parent)
            self._try.place(self._target, sync=self._folders.sync)
        except OSError as error:
            # a second fsync of the same file may succeed although the first one lost what it had
            self._try.discard()
            raise self._fault(error) from error

    def drop(self) -> None:
        self._try.discard()

    def _append(self, data: bytes) -> None:
        try:
            self._try.append(data)
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> Fault:
        return fault(error, sink=self._sink, doing="write", path=self._target)


class Folders:
    """The folders below *root*, made and made durable once by each process."""

    def __init__(self, root: Path, *, sync: bool) -> None:
        self.sync = sync
        self._root = root
        self._made: set[Path] = set()

    def make(self, folder: Path) -> None:
        """Make *folder* and those above it, each entry on disk before this returns."""
        if folder in self._made:
            if folder.is_dir():
                return
            self._made.discard(folder)
        if folder != self._root:
            self.make(folder.parent)
            folder.mkdir(mode=0o750, exist_ok=True)
        if self.sync:
            # also what another process made: it may not have come this far
            fsync_folder(folder.parent)
        if len(self._made) >= MADE:
            self._made.clear()
        self._made.add(folder)


class Gzip:
    """A gzip stream whose bytes depend on what was fed, not on when or in which pieces."""

    def __init__(self) -> None:
        self._stream = isal_zlib.compressobj(wbits=31)  # a gzip header with no name and time 0
        self._rest = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._rest += data
        whole = len(self._rest) - len(self._rest) % BLOCK
        with memoryview(self._rest) as view:
            done = [self._stream.compress(view[at : at + BLOCK]) for at in range(0, whole, BLOCK)]
        del self._rest[:whole]
        return b"".join(done)

    def end(self) -> bytes:
        rest = self._stream.compress(bytes(self._rest))
        return rest + self._stream.flush()
