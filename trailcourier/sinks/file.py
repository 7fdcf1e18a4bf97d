"""The file sink: one file for each log file, written whole.

Delivery: all records of an object are accepted at once, when its file gets its final name.  A retry
of an object replaces the same file with the same records, so it leaves no second copy.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Literal

from isal import isal_zlib
from pydantic import Field, field_validator

from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import Origin
from trailcourier.sinks.config import DeliverySettings
from trailcourier.sinks.faults import translate_os_error
from trailcourier.sinks.folders import Folder, open_folder
from trailcourier.sinks.paths import relative_path
from trailcourier.sinks.temp_files import TempFile, TempFiles

MAX_REMEMBERED = 10_000  # folders known to be on disk
BLOCK = 262_144  # bytes; isal's output depends on the size of its input pieces, so it is fixed


class File(DeliverySettings):
    """Write each log file's records to a file of newline-delimited JSON."""

    type: Literal["file"]
    path: Path = Field(description="the folder for all files; created if its parent exists")
    gzip: bool = Field(False, description="compress; the names then end in `.ndjson.gz`")
    trust_path: bool = Field(
        False,
        description="write even if other users could change the folder or a folder above it; "
        "left out, such a folder is refused",
    )
    fsync: bool = Field(
        True,
        description="wait until a file is on disk before its records count as accepted; false "
        "risks the files of the last seconds when the machine loses power",
    )
    retry_attempts: int = Field(
        1, ge=1, le=20, description="tries of one batch before its object is parked"
    )

    @field_validator("path")
    @classmethod
    def _usable(cls, value: Path) -> Path:
        if "\0" in str(value):
            raise ValueError("is not a path: it has a null character in it")
        return Path(os.path.expanduser(value))  # noqa: PTH111 - Path.expanduser raises, for no user

    def open(self, name: str, network: Network) -> "FileSink":
        """Open the sink; it connects to nothing, so *network* is not used."""
        del network
        return FileSink(name, self)


class FileSink:
    commits: Literal["batch", "object"] = "object"

    def __init__(self, name: str, config: File) -> None:
        self.name = name
        self._root = config.path.absolute()
        self._trust_path = config.trust_path
        self._gzip = config.gzip
        self._tree = FolderTree(sync=config.fsync)
        self._temp_files = TempFiles()

    def start(self, origin: Origin) -> "FileDelivery":
        path = relative_path(origin)
        target = path.with_name(f"{path.name}.ndjson{'.gz' if self._gzip else ''}")
        try:
            root = open_folder(self._root, trusting=self._trust_path)
            try:
                temp_file = self._temp_files.create(root, target.name)
            except BaseException:
                root.close()
                raise
        except OSError as error:
            raise translate_os_error(
                error, sink=self.name, action="write to", path=self._root
            ) from error
        gzip = GzipStream() if self._gzip else None
        return FileDelivery(self.name, root, target, temp_file, tree=self._tree, gzip=gzip)

    def close(self) -> None:
        """Do nothing: only deliveries have open files."""


class FileDelivery:
    """Writes the file of one object: a temp file below *root* becomes *target* below it."""

    def __init__(
        self,
        sink: str,
        root: Folder,
        target: PurePath,
        temp_file: TempFile,
        *,
        tree: "FolderTree",
        gzip: "GzipStream | None",
    ) -> None:
        self._sink = sink
        self._root = root
        self._target = target
        self._temp_file = temp_file
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
            # compressed data cannot be taken back, so the write that may fail comes first
            self._append(self._compressed)
            self._compressed = b""
            self._compressed = self._gzip.feed(lines)

    def finish(self) -> None:
        if self._gzip is not None:
            self._compressed += self._gzip.end()
            self._gzip = None
        try:
            self._temp_file.append(self._compressed)
            with self._tree.open(self._root, self._target.parent) as folder:
                self._temp_file.place(folder, self._target.name, sync=self._tree.sync)
        except OSError as error:
            # after a failed fsync a second one may succeed although the data is lost
            self._temp_file.discard()
            raise self._fault(error) from error
        finally:
            self._root.close()

    def drop(self) -> None:
        self._temp_file.discard()
        self._root.close()

    def _append(self, data: bytes) -> None:
        try:
            self._temp_file.append(data)
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> Fault:
        return translate_os_error(
            error, sink=self._sink, action="write", path=f"{self._root.path}/{self._target}"
        )


class FolderTree:
    """The folders below the sink's: each process creates them and syncs them to disk once."""

    def __init__(self, *, sync: bool) -> None:
        self.sync = sync
        self._durable: set[str] = set()

    def open(self, root: Folder, path: PurePath) -> Folder:
        """Open the folder *path* below *root*; creates and syncs each folder on the way."""
        if self.sync and root.path not in self._durable:
            with open_folder(Path(root.path).parent, trusting=True) as parent:
                parent.sync()
            self._remember(root.path)
        with ExitStack() as opened:
            folder = root
            for name in path.parts:
                inner, created = folder.open_or_create(name)
                opened.enter_context(inner)
                # another process may have created it and not synced it yet
                if self.sync and (created or inner.path not in self._durable):
                    folder.sync()
                    self._remember(inner.path)
                folder = inner
            return folder.duplicate()

    def _remember(self, path: str) -> None:
        if len(self._durable) >= MAX_REMEMBERED:
            self._durable.clear()
        self._durable.add(path)


class GzipStream:
    """A gzip stream whose output does not depend on the pieces in which its input comes."""

    def __init__(self) -> None:
        self._stream = isal_zlib.compressobj(wbits=31)  # a header with no name and time 0
        self._pending = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._pending += data
        whole = len(self._pending) - len(self._pending) % BLOCK
        with memoryview(self._pending) as view:
            done = [self._stream.compress(view[at : at + BLOCK]) for at in range(0, whole, BLOCK)]
        del self._pending[:whole]
        return b"".join(done)

    def end(self) -> bytes:
        last = self._stream.compress(bytes(self._pending))
        return last + self._stream.flush()
