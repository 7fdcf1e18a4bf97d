"""The receiving end of each sink, so that one suite can check what arrived."""

import contextlib
import gzip
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from tests.support import http_stub, line_stub, receiver, tls
from trailcourier.sinks import stdout

TOKEN = "2bfbea1e-10c3-4419-bdad-7e6435882e1f"

KEPT = 20  # records of one batch; the next batch may go over another open connection


class End:
    """A sink's config, and what arrived, as lines in order."""

    config: dict[str, object]
    keeps = 60  # records of an object that arrive in order while other objects are delivered too

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def arrived(self) -> list[bytes]:
        raise NotImplementedError

    def broken(self) -> contextlib.AbstractContextManager[None]:
        raise NotImplementedError


class Files(End):
    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder / "events"
        self.config = {"type": "file", "path": str(self.folder), **settings}

    def arrived(self) -> list[bytes]:
        read = gzip.decompress if self.config.get("gzip") else bytes
        return [line for path in self.files() for line in read(path.read_bytes()).splitlines()]

    def files(self) -> list[Path]:
        """Return every file but the temp files."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path for path in found if ".tries" not in path.parts)

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        self.folder.write_bytes(b"in the way")
        yield
        self.folder.unlink()


class Stdout(End):
    """Standard output as a file that all processes append to.

    pytest moves descriptor 1 between the phases of a test, so in this process the sink gets another
    descriptor, and the children get it as their standard output.
    """

    def __init__(self, folder: Path) -> None:
        self.config = {"type": "stdout"}
        self._folder = folder
        self._path = folder / "stdout"

    def __enter__(self) -> Self:
        self._real = stdout.FD, tempfile.tempdir
        stdout.FD, tempfile.tempdir = self._open(), str(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(stdout.FD)
        stdout.FD, tempfile.tempdir = self._real

    def arrived(self) -> list[bytes]:
        return self._path.read_bytes().split(b"\n")[:-1]

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        with Path("/dev/full").open("wb") as full, pointing(full.fileno()):
            yield

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


class Pipe(End):
    """Standard output as a pipe that a thread reads."""

    def __init__(self, folder: Path) -> None:
        self.config = {"type": "stdout"}
        self._folder = folder
        self._read = b""

    def __enter__(self) -> Self:
        out, into = os.pipe()
        self._real = stdout.FD, tempfile.tempdir
        stdout.FD, tempfile.tempdir = into, str(self._folder)
        self._reader = threading.Thread(target=self._collect, args=(out,))
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader.is_alive():
            self.arrived()
        stdout.FD, tempfile.tempdir = self._real

    def arrived(self) -> list[bytes]:
        """Close the pipe, so that it is read to its end; nothing can be sent afterwards."""
        os.close(stdout.FD)
        self._reader.join(30)
        return self._read.split(b"\n")[:-1]

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        out, into = os.pipe()
        os.close(out)
        with os.fdopen(into, "wb") as readerless, pointing(readerless.fileno()):
            yield

    def _collect(self, out: int) -> None:
        with open(out, "rb") as pipe:
            self._read = pipe.read()


@contextlib.contextmanager
def pointing(fd: int) -> Iterator[None]:
    """Point standard output to what *fd* is within the context."""
    kept = os.dup(stdout.FD)
    os.dup2(fd, stdout.FD)
    yield
    os.dup2(kept, stdout.FD)
    os.close(kept)


class Received(End):
    def __init__(self, folder: Path) -> None:
        self.receiver = receiver.Running(folder / "received")

    def __enter__(self) -> Self:
        self.receiver.start()
        self.config = {"type": "receiver", "port": self.receiver.port, "retry_attempts": 1}
        return self

    def __exit__(self, *_: object) -> None:
        self.receiver.kill()

    def arrived(self) -> list[bytes]:
        return self.receiver.records()

    def reject(self, text: bytes) -> None:
        self.receiver.reject(text)

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        self.receiver.kill()
        yield
        self.receiver.start()


class Collector(End):
    """A port that accepts lines, like an Insight Collector's."""

    def __init__(self, folder: Path, *, encrypted: bool = False, **settings: object) -> None:
        bundle, context = tls.authority(folder) if encrypted else (None, None)
        self._server = line_stub.Server(tls=context)
        if settings.get("accept_when") == "acknowledged":
            self.keeps = KEPT
        self.config = {
            "type": "insightidr",
            "way": "collector",
            "host": "127.0.0.1",
            "port": self._server.port,
            "tls": encrypted,
            "retry_attempts": 1,
            **({"ca_file": str(bundle)} if bundle else {}),
            **settings,
        }

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def arrived(self) -> list[bytes]:
        return self._server.lines()

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        self._server.refuse()
        yield
        self._server.resume()


class TokenPort(Collector):
    """A port that accepts lines after a token, like Rapid7's."""

    keeps = KEPT

    def __init__(self, folder: Path) -> None:
        (folder / "token").write_text(TOKEN)
        token = f"file:{folder / 'token'}"
        super().__init__(folder, encrypted=True, way="token", token=token)

    def arrived(self) -> list[bytes]:
        before = f"{TOKEN} ".encode()
        lines = super().arrived()
        assert all(line.startswith(before) for line in lines)
        return [line.removeprefix(before) for line in lines]


class Webhook(End):
    """An HTTP server that accepts one record per request, like Rapid7's webhook."""

    def __init__(self, folder: Path) -> None:
        self._bodies: list[bytes] = []
        self._rejects = b""
        self._server = http_stub.Server(self._take)
        (folder / "url").write_text(f"{self._server.url}/v1/noformat/{TOKEN}")
        self.config = {
            "type": "insightidr",
            "way": "webhook",
            "url": f"file:{folder / 'url'}",
            "retry_attempts": 1,
        }

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def arrived(self) -> list[bytes]:
        return list(self._bodies)

    def reject(self, text: bytes) -> None:
        """From now on reject bodies that contain *text*."""
        self._rejects = text

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        self._server.refuse()
        yield
        self._server.resume()

    def _take(self, request: http_stub.Request) -> http_stub.Reply:
        if request.target != f"/v1/noformat/{TOKEN}":
            return http_stub.Reply(404)
        if self._rejects and self._rejects in request.body:
            return http_stub.Reply(400, b"no")
        self._bodies.append(request.body)
        return http_stub.Reply(204)


ENDS: dict[str, Callable[[Path], End]] = {
    "file": Files,
    "file-gzip": lambda folder: Files(folder, gzip=True),
    "file-no-fsync": lambda folder: Files(folder, fsync=False),
    "stdout-file": Stdout,
    "stdout-pipe": Pipe,
    "insightidr-collector": Collector,
    "insightidr-collector-tls": lambda folder: Collector(folder, encrypted=True),
    "insightidr-collector-kept": lambda folder: Collector(folder, accept_when="acknowledged"),
    "insightidr-token": TokenPort,
    "insightidr-webhook": Webhook,
    "receiver": Received,
}
"""The suite runs for each end here; each sink needs at least one."""
