"""Send lines over TCP or TLS to one address; each batch is accepted as a whole or not at all."""

import os
import re
import ssl
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from trailcourier.aws import tls_contexts
from trailcourier.aws.connections import describe_error
from trailcourier.aws.network import Network, Peer
from trailcourier.errors import Fault
from trailcourier.sinks import certificates, tcp
from trailcourier.sinks.config import DeliverySettings
from trailcourier.sinks.tls import TlsPeer

_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")

AcceptWhen = Literal["read", "acknowledged"]


def _is_host(value: str) -> str:
    bare = value.removeprefix("[").removesuffix("]")
    try:
        bare.encode("idna")
    except UnicodeError:
        bare = ""
    if not _HOST.fullmatch(bare) or bare.count(":") == 1:
        raise ValueError(
            "is not a host name or address (example: logs.example.com, without scheme and port)"
        )
    return bare


Host = Annotated[str, AfterValidator(_is_host)]


class TcpSettings(DeliverySettings):
    """The settings of a sink that sends lines over TCP or TLS."""

    port: int
    accept_when: AcceptWhen
    tls: bool = Field(True, description="encrypt, and check the certificate; false: plain TCP")
    ca_file: certificates.CaFile | None = Field(
        None,
        description="certificates to trust, in PEM; left out: AWS_CA_BUNDLE's, else the system's",
    )
    server_name: Host | None = Field(
        None, description="the name in its certificate, if that is not the host"
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
            raise ValueError("has no effect with tls = false: leave one of them out")
        return value

    def peers_at(self, host: str) -> tuple[Peer, ...]:
        """Return the peer that this sink connects to, which is *host*."""
        named = f"[{host}]" if ":" in host else host
        url = f"{'tls' if self.tls else 'tcp'}://{named}:{self.port}"
        return (Peer(url, self.ca_file, self.server_name or ""),)

    def open_stream(self, sink: str, host: str, network: Network) -> "Stream":
        """Return a stream to *host*, not yet connected; raises ConfigError."""
        tls = None
        if self.tls:
            context = tls_contexts.for_sink(self.ca_file or network.ca_bundle)
            tls = TlsPeer(context, self.server_name or host)
        return Stream(
            tcp.Address(host, self.port),
            sink=sink,
            tls=tls,
            accept_when=self.accept_when,
            connect=self.connect_seconds,
            timeout=self.timeout_seconds,
        )


class Stream:
    """Sends batches of lines to one address; all threads of a process use it.

    A connection is used by one batch at a time.  With ``read`` each batch has its own connection.
    With ``acknowledged`` connections stay open, as many as were ever used at the same time, and
    each is checked before it is used again, as the peer may have closed it.  An error closes all
    idle connections, because its cause may have broken them too.
    """

    def __init__(
        self,
        address: tcp.Address,
        *,
        sink: str,
        tls: TlsPeer | None,
        accept_when: AcceptWhen,
        connect: float,
        timeout: float,
    ) -> None:
        self._address = address
        self._sink = sink
        self._tls = tls
        self._wait_until_read = accept_when == "read" or tcp.UNACKNOWLEDGED_QUERY is None
        self._connect_within = connect
        self._timeout = timeout
        self._idle: deque[tcp.Connection] = deque()
        self._owner = os.getpid()

    def send(self, data: bytes) -> None:
        """Send *data*, whole lines, and return once it is accepted; raises Fault."""
        try:
            if self._wait_until_read:
                self._send_until_read(data)
            else:
                self._send_until_acknowledged(data)
        except OSError as error:
            self.close()
            detail = f"{self._address}: {_describe(error)}"
            raise Fault("sink-unreachable", detail, where=self._sink) from error

    def close(self) -> None:
        """Close the connections that no batch uses."""
        while connection := self._pop_idle():
            connection.close()

    def _send_until_read(self, data: bytes) -> None:
        with self._connect() as connection:
            deadline = time.monotonic() + self._timeout
            connection.write(data, deadline)
            connection.finish(deadline)

    def _send_until_acknowledged(self, data: bytes) -> None:
        connection = self._reuse() or self._connect()
        try:
            deadline = time.monotonic() + self._timeout
            connection.write(data, deadline)
            connection.wait_acknowledged(deadline)
        except BaseException:
            connection.close()  # an unfinished line must not continue with another
            raise
        self._idle.append(connection)

    def _connect(self) -> tcp.Connection:
        return tcp.connect(self._address, self._tls, time.monotonic() + self._connect_within)

    def _reuse(self) -> tcp.Connection | None:
        """Return an open idle connection, the last used one first; None if there is none."""
        if self._owner != os.getpid():  # a forked child: the connections are its parent's
            self.close()
            self._owner = os.getpid()
        while connection := self._pop_idle():
            try:
                connection.check_open()
            except OSError:
                connection.close()
            else:
                return connection
        return None

    def _pop_idle(self) -> tcp.Connection | None:
        try:
            return self._idle.pop()  # atomic: no other thread gets it
        except IndexError:
            return None


def _describe(error: OSError) -> str:
    advice = isinstance(error, ssl.SSLCertVerificationError)
    return describe_error(error) + ("; check `ca_file` and `server_name`" if advice else "")
