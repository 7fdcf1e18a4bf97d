"""A certificate authority nobody knows, a server certificate of it, and a proxy for tunnels."""

import contextlib
import ipaddress
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def authority(directory: Path, *, expired: bool = False) -> tuple[Path, ssl.SSLContext]:
    """Write a CA bundle into *directory*; give it, and a context of a server it vouches for.

    The server's certificate is one that has *expired*, if so asked.
    """
    ours, servers = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    root = (
        _certificate("an unknown authority", ours)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ours, hashes.SHA256())
    )
    leaf = (
        _certificate("127.0.0.1", servers, ago=timedelta(days=60 if expired else 0))
        .add_extension(loopback, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ours.public_key()), critical=False
        )
        .sign(ours, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    bundle, served = directory / "ca.pem", directory / "server.pem"
    bundle.write_bytes(root.public_bytes(pem))
    served.write_bytes(
        leaf.public_bytes(pem)
        + servers.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served)
    return bundle, context


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, ago: timedelta = timedelta()
) -> x509.CertificateBuilder:
    now = datetime.now(UTC) - ago
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an unknown authority")])
    return (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


class _Tunnel(socketserver.StreamRequestHandler):
    rbufsize = 0

    def handle(self) -> None:
        target = self.rfile.readline().decode().split()[1]
        while self.rfile.readline().strip():
            pass
        self.server.tunnels.append(target)
        host, _, port = target.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port))) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            other = {self.connection: far, far: self.connection}
            while True:
                for ready in select.select(list(other), [], [], 10)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    other[ready].sendall(data)


class _Tunnels(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.tunnels: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def tunnels() -> Iterator[_Tunnels]:
    """A proxy that answers CONNECT; ``tunnels`` is where it was asked to connect to."""
    with _Tunnels() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
