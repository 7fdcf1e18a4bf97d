"""How far the other side is: with real sockets, whose other end does what a test wants."""

import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from tests import line_stub, tls
from tests.peers import HOST, peer, read_all, reset, unused_port
from trailcourier.sinks import tcp, trust
from trailcourier.sinks.session import Tls

linux = pytest.mark.skipif(tcp.QUEUE is None, reason="no other system tells what was acknowledged")
MEBIBYTE = b"x" * 1_048_575 + b"\n"


def soon(seconds=20):
    return time.monotonic() + seconds


def look_again_and_again(connection):
    """Look until what the peer does has arrived."""
    for _ in range(500):
        connection.look()
        time.sleep(0.01)


@contextlib.contextmanager
def connected(port, trusting=None):
    with tcp.connect(tcp.Address(HOST, port), trusting, soon()) as connection:
        yield connection


@pytest.fixture
def encrypted(tmp_path):
    bundle, context = tls.authority(tmp_path)
    with line_stub.Server(tls=context) as server:
        yield server, Tls(trust.context(bundle), HOST)


def test_what_is_acknowledged_on_an_open_connection_is_accepted():
    with peer(read_all, held=True) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())

        connection.acknowledged(soon())


def all_acknowledged(connection):
    """Wait until the peer's kernel has every byte, whatever its program does."""
    for _ in range(1000):
        if not tcp._unacknowledged(connection._socket):
            return
        time.sleep(0.01)
    raise AssertionError("not acknowledged")


def test_a_peer_that_read_nothing_and_broke_the_connection_accepted_nothing():
    with peer(reset, held=True) as it, connected(it.port) as connection:
        connection.write(b"x" * 60_000, soon())  # succeeds, though nothing is read
        all_acknowledged(connection)
        it.go()

        with pytest.raises(ConnectionError):
            connection.acknowledged(soon())


def test_a_peer_that_read_it_and_ended_the_connection_accepted_nothing():
    with peer(lambda it: it.recv(65536), held=True) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())
        all_acknowledged(connection)
        it.go()

        with pytest.raises(ConnectionError, match="the other side ended the connection"):
            connection.acknowledged(soon())


def test_a_peer_that_breaks_the_connection_before_it_has_all_ends_the_wait():
    """After a reset the kernel counts what was not acknowledged for ever."""
    with peer(reset, held=True, window=4096) as it, connected(it.port) as connection:
        connection.write(b"x" * 200_000, soon())
        it.go_after(0.1)
        began = time.monotonic()

        with pytest.raises(ConnectionError):
            connection.acknowledged(soon())

        assert time.monotonic() - began < 10


@linux
def test_what_the_peer_s_kernel_has_no_room_for_is_not_accepted():
    with peer(read_all, held=True, window=4096) as it, connected(it.port) as connection:
        connection.write(b"x" * 200_000, soon())

        with pytest.raises(TimeoutError, match="not all of it was acknowledged in time"):
            connection.acknowledged(soon(0.3))


@linux
def test_it_is_accepted_as_soon_as_the_peer_has_made_room():
    with peer(read_all, held=True, window=4096) as it, connected(it.port) as connection:
        connection.write(b"x" * 200_000, soon())
        it.go_after(0.2)

        connection.acknowledged(soon())


def test_writing_ends_at_its_deadline():
    with peer(read_all, held=True, window=4096) as it, connected(it.port) as connection:
        began = time.monotonic()

        with pytest.raises(TimeoutError, match="did not take all of it in time"):
            connection.write(64 * MEBIBYTE, soon(0.3))

        assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(b"go away\r\n", r'ended the connection; it said "go away\\r\\n"', id="text"),
        pytest.param(b"\x15\x03\x03\0\x02\x02\x46", "it speaks TLS, so set `tls = true`", id="tls"),
    ],
)
def test_what_a_peer_says_before_it_ends_is_told(said, words):
    with peer(lambda it: it.sendall(said), held=True) as it, connected(it.port) as connection:
        it.go()

        with pytest.raises(ConnectionError, match=words):
            connection.look()


def test_a_peer_that_says_something_and_goes_on_is_there():
    def greet(connection):
        connection.sendall(b"220 ready\r\n")
        read_all(connection)

    with peer(greet) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())

        connection.acknowledged(soon())


def test_a_peer_that_talks_without_end_is_no_receiver():
    def talk(connection):
        while True:
            connection.sendall(MEBIBYTE)

    with (
        peer(talk) as it,
        connected(it.port) as connection,
        pytest.raises(ConnectionAbortedError, match=r'it talks, .* it said "xxx'),
    ):
        look_again_and_again(connection)


def test_tickets_of_a_tls_session_are_no_end(encrypted):
    server, trusting = encrypted
    with connected(server.port, trusting) as connection:
        for at in range(3):
            connection.write(b"line %d\n" % at, soon())
            connection.acknowledged(soon())
            assert server.lines() == [b"line %d" % n for n in range(at + 1)]


def test_a_tls_session_that_the_peer_ended_accepts_nothing(encrypted):
    server, trusting = encrypted
    with connected(server.port, trusting) as connection:
        server.call(lambda: [each.transport.close() for each in server._connections])

        with pytest.raises(ConnectionError, match="ended the connection"):
            look_again_and_again(connection)


@pytest.mark.parametrize("tell", [True, False], ids=["linux", "elsewhere"])
def test_finishing_waits_until_the_peer_has_read_to_the_end(monkeypatch, tell):
    monkeypatch.setattr(tcp, "QUEUE", tcp.QUEUE if tell else None)
    read = []
    with peer(lambda it: read.append(read_all(it))) as it, connected(it.port) as connection:
        connection.write(MEBIBYTE, soon())

        connection.finish(soon())

        assert read == [MEBIBYTE]


def test_finishing_a_tls_session_waits_for_it_too(encrypted):
    server, trusting = encrypted
    with connected(server.port, trusting) as connection:
        connection.write(MEBIBYTE, soon())

        connection.finish(soon())

        assert server.bytes == len(MEBIBYTE)


def test_an_end_that_overtakes_its_kernel_s_word_is_one_all_the_same(monkeypatch):
    """So it may be over TLS, where the peer's good-bye answers ours and not our end."""
    late = iter([1, 1])
    monkeypatch.setattr(tcp, "_unacknowledged", lambda _: next(late, 0))
    with peer(read_all) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())

        connection.finish(soon())

    assert next(late, None) is None


def test_a_peer_that_does_not_read_has_not_finished():
    with peer(read_all, held=True) as it, connected(it.port) as connection:
        connection.write(b"line\n", soon())
        connection.acknowledged(soon())  # its kernel has it all

        with pytest.raises(TimeoutError, match="did not read all and end its side in time"):
            connection.finish(soon(0.3))


@pytest.mark.parametrize("tell", [True, False], ids=["linux", "elsewhere"])
def test_a_peer_that_dies_with_something_unread_has_not_finished(monkeypatch, tell):
    monkeypatch.setattr(tcp, "QUEUE", tcp.QUEUE if tell else None)
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


def test_an_alert_instead_of_a_good_bye_is_an_error(tmp_path):
    """TLS 1.3: a server refuses a client without a certificate only after the client has begun."""
    bundle, context = tls.authority(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(bundle)

    def refuse(connection):
        with pytest.raises(ssl.SSLError):  # it sends the alert, over a connection it leaves whole
            context.wrap_socket(connection.dup(), server_side=True)
        read_all(connection)

    trusting = Tls(trust.context(bundle), HOST)
    with peer(refuse) as it, connected(it.port, trusting) as connection:
        connection.write(b"line\n", soon())

        with pytest.raises(ssl.SSLError, match=r"(?i)alert certificate required"):
            connection.finish(soon())


def test_nobody_listening_is_told_at_once():
    with pytest.raises(ConnectionRefusedError):
        tcp.connect(tcp.Address(HOST, unused_port()), None, soon())


def test_a_host_that_does_not_answer_is_given_up_at_the_deadline():
    with socket.create_server((HOST, 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(4):  # nobody accepts, so what comes next gets no answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        began = time.monotonic()

        with pytest.raises(TimeoutError, match="no connection in time"):
            tcp.connect(tcp.Address(HOST, full.getsockname()[1]), None, soon(0.3))

        assert time.monotonic() - began < 10


def test_a_port_that_does_not_speak_tls_is_given_up_at_the_deadline(encrypted):
    _, trusting = encrypted
    began = time.monotonic()
    with (
        peer(read_all, held=True) as it,
        pytest.raises(TimeoutError, match="no TLS handshake in time; is that port plain TCP"),
    ):
        tcp.connect(tcp.Address(HOST, it.port), trusting, soon(0.3))
    assert time.monotonic() - began < 10


def test_a_name_with_several_addresses_is_tried_at_each(monkeypatch):
    dead = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, unused_port()))
    with peer(read_all) as it:
        live = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, it.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [dead, live])

        tcp.connect(tcp.Address("logs.example.com", 6514), None, soon()).close()


def test_a_connection_notices_by_itself_that_the_other_end_is_gone():
    with peer(read_all) as it, connected(it.port) as connection:
        assert connection._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize("host", ["127.0.0.1", "logs.example.com"])
def test_an_address_is_shown_as_people_write_it(host):
    assert str(tcp.Address(host, 6514)) == f"{host}:6514"
    assert str(tcp.Address("::1", 6514)) == "[::1]:6514"


def test_no_descriptor_is_left_by_connections_that_fail(encrypted):
    _, trusting = encrypted
    before = len(list(Path("/dev/fd").iterdir()))

    for _ in range(3):
        with pytest.raises(OSError, match=r"\w"):
            tcp.connect(tcp.Address(HOST, unused_port()), trusting, soon())

    assert len(list(Path("/dev/fd").iterdir())) == before
