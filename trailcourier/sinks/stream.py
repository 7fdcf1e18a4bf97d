"""Lines over TCP or TLS to one address, each batch accepted whole or not at all."""

import os
import re
import socket
import ssl
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from trailcourier.egress import Egress, Peer
from trailcourier.errors import Fault
from trailcourier.sinks import tcp, trust
from trailcourier.sinks.session import Tls
from trailcourier.sinks.terms import Terms

_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")

AcceptWhen = Literal["read", "acknowledged"]


def _is_host(value: str) -> str:
    bare = value.removeprefix("[").removesuffix("]")
    try:
        bare.encode("idna")
    except UnicodeError:
        bare = ""
    if not _HOST.fullmatch(bare) or bare.count(":") == 1:
        raise ValueError("is no host: logs.example.com is one, without scheme and port")
    return bare


Host = Annotated[str, AfterValidator(_is_host)]


class OverTcp(Terms):
    """What an operator says of a sink that is a stream of lines."""

    port: int
    accept_when: AcceptWhen
    tls: bool = Field(True, description="encrypt, and check who it is; false: plain TCP")
    ca_file: trust.CaFile | None = Field(
        None,
        description="certificates to trust; left out: those of AWS_CA_BUNDLE, else the system's",
    )
    server_name: Host | None = Field(
        None, description="the name its certificate has, where that is not `host`"
    )
    connect_seconds: float = Field(
        5, gt=0, le=20, description="time a connection and its TLS handshake may take"
    )
    timeout_seconds: float = Field(
        20, gt=0, le=60, description="time one batch may take until it is accepted"
    )

    @field_validator("ca_file", "server_name")
    @classmethod
    def _with_tls(cls, value: Path | str | None, info: ValidationInfo) -> Path | str | None:
        if value is not None and info.data.get("tls") is False:
            raise ValueError("has no use beside tls = false: leave one of them out")
        return value

    def at(self, host: str) -> tuple[Peer, ...]:
        """Say whom it connects to, if that is *host*."""
        named = f"[{host}]" if ":" in host else host
        url = f"{'tls' if self.tls else 'tcp'}://{named}:{self.port}"
        return (Peer(url, self.ca_file, self.server_name or ""),)

    def stream(self, sink: str, host: str, egress: Egress) -> "Stream":
        """Open the stream to *host*; nothing is connected yet.  Raises ConfigError."""
        tls = None
        if self.tls:
            trusted = trust.context(self.ca_file or egress.ca_bundle)
            tls = Tls(trusted, self.server_name or host)
        return Stream(
            tcp.Address(host, self.port),
            sink=sink,
            tls=tls,
            accept_when=self.accept_when,
            connect=self.connect_seconds,
            timeout=self.timeout_seconds,
        )


class Stream:
    """Used by all threads of a process; a connection is used by one batch at a time.

    ``read`` takes a connection for each batch and ends it.  ``acknowledged`` keeps connections, as
    many as were ever used at once, and looks at one before it is used again: its other end may have
    gone.  After an error none is kept, for what broke one may have broken all.
    """

    def __init__(
        self,
        address: tcp.Address,
        *,
        sink: str,
        tls: Tls | None,
        accept_when: AcceptWhen,
        connect: float,
        timeout: float,
    ) -> None:
        self._address = address
        self._sink = sink
        self._tls = tls
        self._reads = accept_when == "read" or tcp.QUEUE is None
        self._connect_within = connect
        self._timeout = timeout
        self._idle: deque[tcp.Connection] = deque()
        self._owner = os.getpid()

    def send(self, data: bytes) -> None:
        """Send *data*, whole lines, and return once it is accepted; raises Fault."""
        try:
            if self._reads:
                self._until_read(data)
            else:
                self._until_acknowledged(data)
        except OSError as error:
            self.close()
            detail = f"{self._address}: {self._words(error)}"
            raise Fault("sink-unreachable", detail, where=self._sink) from error

    def close(self) -> None:
        """Let go of the connections that no batch uses."""
        while connection := self._idle_one():
            connection.close()

    def _until_read(self, data: bytes) -> None:
        with self._new() as connection:
            deadline = time.monotonic() + self._timeout
            connection.write(data, deadline)
            connection.finish(deadline)

    def _until_acknowledged(self, data: bytes) -> None:
        connection = self._kept() or self._new()
        try:
            deadline = time.monotonic() + self._timeout
            connection.write(data, deadline)
            connection.acknowledged(deadline)
        except BaseException:
            connection.close()  # a line half written must not go on with another
            raise
        self._idle.append(connection)

    def _new(self) -> tcp.Connection:
        return tcp.connect(self._address, self._tls, time.monotonic() + self._connect_within)

    def _kept(self) -> tcp.Connection | None:
        """Return an open connection nobody uses, the one used last first."""
        if self._owner != os.getpid():  # this process was forked, and these are its parent's
            self.close()
            self._owner = os.getpid()
        while connection := self._idle_one():
            try:
                connection.look()
            except OSError:
                connection.close()
            else:
                return connection
        return None

    def _idle_one(self) -> tcp.Connection | None:
        try:
            return self._idle.pop()  # nobody else gets it
        except IndexError:
            return None

    def _words(self, error: OSError) -> str:
        match error:
            case ssl.SSLCertVerificationError():
                return f"{trust.words(error)}; see `ca_file` and `server_name`"
            case ssl.SSLError():
                return trust.words(error)
            case socket.gaierror():
                return f"no such host ({error.strerror})"
            case _:
                return error.strerror or str(error)
