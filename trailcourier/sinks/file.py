"""Files: one for each log file, written whole.

Delivery: an object's records count once its file has its name, all of them at once.  A second try
of an object ends in the same file with the same records, so a copy is never left beside it.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Literal

from isal import isal_zlib
from pydantic import Field, field_validator

from trailcourier.egress import Egress
from trailcourier.errors import Fault
from trailcourier.models import Origin
from trailcourier.sinks.faults import fault
from trailcourier.sinks.folders import Folder, opened
from trailcourier.sinks.places import location
from trailcourier.sinks.terms import Terms
from trailcourier.sinks.tries import Tries, Try

MADE = 10_000  # folders remembered as on disk
BLOCK = 262_144  # bytes; what isal makes of a stream depends on how it was cut, so always alike


class File(Terms):
    """Write each log file's records to a file of newline-delimited JSON."""

    type: Literal["file"]
    path: Path = Field(description="the folder for all of it; made if the one it lies in is there")
    gzip: bool = Field(False, description="compress, and end names in `.ndjson.gz`")
    trust_path: bool = Field(
        False,
        description="write also where other users could change the folder or what leads to it; "
        "left out, such a folder is refused",
    )
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
        self._trusting = config.trust_path
        self._gzip = config.gzip
        self._tree = Tree(sync=config.fsync)
        self._tries = Tries()

    def start(self, origin: Origin) -> "FileDelivery":
        place = location(origin)
        target = place.with_name(f"{place.name}.ndjson{'.gz' if self._gzip else ''}")
        try:
            root = opened(self._root, trusting=self._trusting)
            try:
                one = self._tries.begin(root, target.name)
            except BaseException:
                root.close()
                raise
        except OSError as error:
            raise fault(error, sink=self.name, doing="write to", path=self._root) from error
        gzip = Gzip() if self._gzip else None
        return FileDelivery(self.name, root, target, one, tree=self._tree, gzip=gzip)

    def close(self) -> None:
        """Do nothing: only deliveries hold anything open."""


class FileDelivery:
    """One object's file: a temp file below *root*, which becomes *target* below it."""

    def __init__(
        self,
        sink: str,
        root: Folder,
        target: PurePath,
        one: Try,
        *,
        tree: "Tree",
        gzip: "Gzip | None",
    ) -> None:
        self._sink = sink
        self._root = root
        self._target = target
        self._try = one
        self._tree = tree
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
            with self._tree.make(self._root, self._target.parent) as folder:
                self._try.place(folder, self._target.name, sync=self._tree.sync)
        except OSError as error:
            # a second fsync of the same file may succeed although the first one lost what it had
            self._try.discard()
            raise self._fault(error) from error
        finally:
            self._root.close()

    def drop(self) -> None:
        self._try.discard()
        self._root.close()

    def _append(self, data: bytes) -> None:
        try:
            self._try.append(data)
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> Fault:
        return fault(
            error, sink=self._sink, doing="write", path=f"{self._root.path}/{self._target}"
        )


class Tree:
    """The folders below that of the sink, made and made durable once by each process."""

    def __init__(self, *, sync: bool) -> None:
        self.sync = sync
        self._durable: set[str] = set()

    def make(self, root: Folder, place: PurePath) -> Folder:
        """Open the folder *place* below *root*; each name on the way is on disk by then."""
        if self.sync and root.path not in self._durable:
            with opened(Path(root.path).parent, trusting=True) as above:
                above.sync()
            self._note(root.path)
        with ExitStack() as way:
            folder = root
            for name in place.parts:
                inner, made = folder.inside(name)
                way.enter_context(inner)
                # also what another process made: it may not have come this far
                if self.sync and (made or inner.path not in self._durable):
                    folder.sync()
                    self._note(inner.path)
                folder = inner
            return folder.copy()

    def _note(self, path: str) -> None:
        if len(self._durable) >= MADE:
            self._durable.clear()
        self._durable.add(path)


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
