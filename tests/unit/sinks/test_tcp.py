"""What a connection knows of its peer, with real sockets to peers that each test scripts."""

import contextlib
import socket
import ssl
import threading
import time

import pytest

from tests.support import line_stub, tls
from tests.support.descriptors import descriptors
from tests.support.peers import HOST, peer, read_all, reset, unused_port
from trailcourier.aws import tls_contexts
from trailcourier.sinks import tcp
from trailcourier.sinks.tls import TlsPeer

linux = pytest.mark.skipif(
    tcp.UNACKNOWLEDGED_QUERY is None, reason="only Linux shows what was acknowledged"
)
MEBIBYTE = b"x" * 1_048_575 + b"\n"


def soon(seconds=20):
    return time.monotonic() + seconds


def check_until_it_raises(connection):
    """Check the connection until what the peer does has arrived."""
    for _ in range(500):
        connection.check_open()
        time.sleep(0.01)


@contextlib.contextmanager
def connected(port, trusting=None):
    with tcp.connect(tcp.Address(HOST, port), trusting, soon()) as connection:
        yield connection


@pytest.fixture
def encrypted(tmp_path):
    bundle, context = tls.authority(tmp_path)
    with line_stub.Server(tls=context) as server:
        yield server, TlsPeer(tls_contexts.for_sink(bundle), HOST)


def test_data_acknowledged_on_an_open_connection_is_accepted():
    with peer(read_all, held=True) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())

        connection.wait_acknowledged(soon())


def all_acknowledged(connection):
    """Wait until the peer's kernel has every byte, whatever its program does."""
    for _ in range(1000):
        if not tcp._unacknowledged(connection._socket):
            return
        time.sleep(0.01)
    raise AssertionError("not acknowledged")


def test_a_peer_that_read_nothing_and_reset_the_connection_accepted_nothing():
    with peer(reset, held=True) as it, connected(it.port) as connection:
        connection.write(b"x" * 60_000, soon())  # succeeds, though nothing is read
        all_acknowledged(connection)
        it.go()

        with pytest.raises(ConnectionError):
            connection.wait_acknowledged(soon())


def test_a_peer_that_read_it_and_ended_the_connection_accepted_nothing():
    with peer(lambda it: it.recv(65536), held=True) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())
        all_acknowledged(connection)
        it.go()

        with pytest.raises(ConnectionError, match="the other side ended the connection"):
            connection.wait_acknowledged(soon())


def test_a_reset_before_everything_is_acknowledged_ends_the_wait():
    """After a reset the kernel's queue of unacknowledged bytes never gets empty."""
    with peer(reset, held=True, window=4096) as it, connected(it.port) as connection:
        connection.write(b"x" * 200_000, soon())
        it.go_after(0.1)
        began = time.monotonic()

        with pytest.raises(ConnectionError):
            connection.wait_acknowledged(soon())

        assert time.monotonic() - began < 10


@linux
def test_data_that_does_not_fit_the_peers_window_is_not_accepted():
    with peer(read_all, held=True, window=4096) as it, connected(it.port) as connection:
        connection.write(b"x" * 200_000, soon())

        with pytest.raises(TimeoutError, match="not all of it was acknowledged in time"):
            connection.wait_acknowledged(soon(0.3))


@linux
def test_data_is_accepted_once_the_peer_has_made_room():
    with peer(read_all, held=True, window=4096) as it, connected(it.port) as connection:
        connection.write(b"x" * 200_000, soon())
        it.go_after(0.2)

        connection.wait_acknowledged(soon())


def test_writing_ends_at_its_deadline():
    with peer(read_all, held=True, window=4096) as it, connected(it.port) as connection:
        began = time.monotonic()

        with pytest.raises(TimeoutError, match="did not take all of it in time"):
            connection.write(64 * MEBIBYTE, soon(0.3))

        assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        pytest.param(b"go away\r\n", r'ended the connection; it sent "go away\\r\\n"', id="text"),
        pytest.param(b"\x15\x03\x03\0\x02\x02\x46", "it speaks TLS, so set `tls = true`", id="tls"),
    ],
)
def test_the_error_shows_what_the_peer_sent_before_it_ended(sent, words):
    with peer(lambda it: it.sendall(sent), held=True) as it, connected(it.port) as connection:
        it.go()

        with pytest.raises(ConnectionError, match=words):
            connection.check_open()


def test_a_peer_that_sends_a_greeting_is_accepted():
    def greet(connection):
        connection.sendall(b"220 ready\r\n")
        read_all(connection)

    with peer(greet) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())

        connection.wait_acknowledged(soon())


def test_a_peer_that_sends_without_end_is_not_accepted():
    def talk(connection):
        while True:
            connection.sendall(MEBIBYTE)

    with (
        peer(talk) as it,
        connected(it.port) as connection,
        pytest.raises(ConnectionAbortedError, match=r'it sends data, .* it sent "xxx'),
    ):
        check_until_it_raises(connection)


def test_session_tickets_do_not_end_a_tls_connection(encrypted):
    server, trusting = encrypted
    with connected(server.port, trusting) as connection:
        for at in range(3):
            connection.write(b"line %d\n" % at, soon())
            connection.wait_acknowledged(soon())
            assert server.lines() == [b"line %d" % n for n in range(at + 1)]


def test_a_tls_session_that_the_peer_ended_accepts_nothing(encrypted):
    server, trusting = encrypted
    with connected(server.port, trusting) as connection:
        server.call(lambda: [each.transport.close() for each in server._connections])

        with pytest.raises(ConnectionError, match="ended the connection"):
            check_until_it_raises(connection)


@pytest.mark.parametrize("on_linux", [True, False], ids=["linux", "elsewhere"])
def test_finishing_waits_until_the_peer_has_read_to_the_end(monkeypatch, on_linux):
    monkeypatch.setattr(tcp, "UNACKNOWLEDGED_QUERY", tcp.UNACKNOWLEDGED_QUERY if on_linux else None)
    read = []
    with peer(lambda it: read.append(read_all(it))) as it, connected(it.port) as connection:
        connection.write(MEBIBYTE, soon())

        connection.finish(soon())

        assert read == [MEBIBYTE]


def test_finishing_a_tls_session_waits_too(encrypted):
    server, trusting = encrypted
    with connected(server.port, trusting) as connection:
        connection.write(MEBIBYTE, soon())

        connection.finish(soon())

        assert server.bytes == len(MEBIBYTE)


def test_the_peers_end_may_arrive_before_the_last_acknowledgement(monkeypatch):
    """Over TLS the peer's close_notify answers ours, not the end of our side."""
    late = iter([1, 1])
    monkeypatch.setattr(tcp, "_unacknowledged", lambda _: next(late, 0))
    with peer(read_all) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())

        connection.finish(soon())

    assert next(late, None) is None


def test_a_peer_that_does_not_read_has_not_finished():
    with peer(read_all, held=True) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())
        connection.wait_acknowledged(soon())  # its kernel has everything

        with pytest.raises(TimeoutError, match="did not read all and end its side in time"):
            connection.finish(soon(0.3))


@pytest.mark.parametrize("on_linux", [True, False], ids=["linux", "elsewhere"])
def test_a_peer_that_dies_with_unread_data_has_not_finished(monkeypatch, on_linux):
    monkeypatch.setattr(tcp, "UNACKNOWLEDGED_QUERY", tcp.UNACKNOWLEDGED_QUERY if on_linux else None)
    with peer(lambda it: it.recv(2), held=True) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())
        it.go_after(0.1)

        with pytest.raises(ConnectionError):
            connection.finish(soon())


@linux
def test_a_peer_that_ends_its_side_before_it_has_all_has_not_finished():
    ended, may_close = threading.Event(), threading.Event()

    def end_early(connection):
        connection.shutdown(socket.SHUT_WR)
        ended.set()
        may_close.wait(20)

    with peer(end_early, window=4096) as it, connected(it.port) as connection:
        connection.write(b"x" * 200_000, soon())
        assert ended.wait(20)

        with pytest.raises(ConnectionError, match="the other side ended before it had all"):
            connection.finish(soon())

        may_close.set()


def test_a_tls_alert_instead_of_a_close_notify_is_an_error(tmp_path):
    """With TLS 1.3 a server refuses a missing client certificate after the handshake."""
    bundle, context = tls.authority(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(bundle)

    def refuse(connection):
        with pytest.raises(ssl.SSLError):  # it sends the alert, and the connection stays open
            context.wrap_socket(connection.dup(), server_side=True)
        read_all(connection)

    trusting = TlsPeer(tls_contexts.for_sink(bundle), HOST)
    with peer(refuse) as it, connected(it.port, trusting) as connection:
        connection.write(b"line\n", soon())

        with pytest.raises(ssl.SSLError, match=r"(?i)alert certificate required"):
            connection.finish(soon())


def test_a_refused_connection_is_raised_at_once():
    with pytest.raises(ConnectionRefusedError):
        tcp.connect(tcp.Address(HOST, unused_port()), None, soon())


def test_connecting_to_a_silent_host_ends_at_the_deadline():
    with socket.create_server((HOST, 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(4):  # nobody accepts, so the next connection gets no answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        began = time.monotonic()

        with pytest.raises(TimeoutError, match="no connection in time"):
            tcp.connect(tcp.Address(HOST, full.getsockname()[1]), None, soon(0.3))

        assert time.monotonic() - began < 10


def test_a_handshake_with_a_plain_port_ends_at_the_deadline(encrypted):
    _, trusting = encrypted
    began = time.monotonic()
    with (
        peer(read_all, held=True) as it,
        pytest.raises(TimeoutError, match="no TLS handshake in time; is that port plain TCP"),
    ):
        tcp.connect(tcp.Address(HOST, it.port), trusting, soon(0.3))
    assert time.monotonic() - began < 10


def test_each_address_of_a_name_is_tried(monkeypatch):
    dead = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, unused_port()))
    with peer(read_all) as it:
        live = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, it.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [dead, live])

        tcp.connect(tcp.Address("logs.example.com", 6514), None, soon()).close()


def test_keep_alive_is_on():
    with peer(read_all) as it, connected(it.port) as connection:
        assert connection._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize("host", ["127.0.0.1", "logs.example.com"])
def test_an_address_is_shown_as_host_and_port(host):
    assert str(tcp.Address(host, 6514)) == f"{host}:6514"
    assert str(tcp.Address("::1", 6514)) == "[::1]:6514"


def test_no_descriptor_is_left_by_connections_that_fail(encrypted):
    _, trusting = encrypted
    before = descriptors()

    for _ in range(3):
        with pytest.raises(OSError, match=r"\w"):
            tcp.connect(tcp.Address(HOST, unused_port()), trusting, soon())

    assert not [each for each in descriptors() - before if each.startswith("socket:")]
