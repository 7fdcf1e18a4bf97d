"""Whether a server speaks TLS or plain text, where a connection alone does not show it."""

import contextlib
import socket
import ssl

SECONDS = 2.0  # for a connection, and for an answer
EMPTY_LINES = b"\n" * 16  # which receivers of lines ignore; a TLS server rejects them


def speaks_tls(host: str, port: int) -> bool:
    """Return whether a TLS handshake succeeds, whatever the certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except (OSError, ValueError):
        return False


def is_plain_redis(host: str, port: int) -> bool:
    """Return whether Redis answers without TLS, be it with an error."""
    return _ask(host, port, b"PING\r\n")[:1] in {b"+", b"-"}


def rejects_lines(host: str, port: int) -> bool:
    """Return whether the server answers empty lines, or closes the connection after them."""
    try:
        with socket.create_connection((host, port), SECONDS) as connection:
            connection.sendall(EMPTY_LINES)
            connection.settimeout(SECONDS)
            connection.recv(16)
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def _ask(host: str, port: int, request: bytes) -> bytes:
    with contextlib.suppress(OSError), socket.create_connection((host, port), SECONDS) as asked:
        asked.settimeout(SECONDS)
        asked.sendall(request)
        return asked.recv(64)
    return b""
