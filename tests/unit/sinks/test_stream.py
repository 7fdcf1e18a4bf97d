"""A stream of lines: when a batch is accepted, which connections stay open, error messages."""

import os
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import line_stub, tls
from tests.support.peers import HOST, peer, read_all, reset, unused_port
from trailcourier.aws.network import Network
from trailcourier.errors import ConfigError, Fault
from trailcourier.sinks import tcp
from trailcourier.sinks.stream import TcpSettings

linux = pytest.mark.skipif(
    tcp.UNACKNOWLEDGED_QUERY is None, reason="only Linux shows what was acknowledged"
)
DIRECT = Network()


class Plain(TcpSettings):
    """The settings of a sink that is only a stream."""

    port: int
    accept_when: str = "acknowledged"
    tls: bool = False


def stream_to(port, host=HOST, network=DIRECT, **settings):
    settings = {"connect_seconds": 5, "timeout_seconds": 5, **settings}
    return Plain(port=port, **settings).open_stream("siem", host, network)


@pytest.fixture
def server():
    with line_stub.Server() as running:
        yield running


@pytest.fixture
def stream(server):
    opened = stream_to(server.port)
    yield opened
    opened.close()


def fault(opened, data=b"line\n"):
    with pytest.raises(Fault) as raised:
        opened.send(data)
    assert raised.value.reason == "sink-unreachable"
    assert raised.value.where == "siem"
    return raised.value.detail


@linux
def test_a_connection_is_kept_for_the_next_batch(stream, server):
    for at in range(5):
        stream.send(b"line %d\n" % at)

    assert server.lines() == [b"line %d" % at for at in range(5)]
    assert server.met == 1


def test_with_read_each_batch_has_its_own_connection(server):
    stream = stream_to(server.port, accept_when="read")

    for at in range(5):
        stream.send(b"line %d\n" % at)
        assert server.whole[at:] == [b"line %d" % at]

    assert server.met == 5


@linux
def test_two_batches_never_share_a_connection_at_the_same_time(stream, server):
    batches = [b"%d\n" % at * 20_000 for at in range(10, 26)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(stream.send, batches))

    lines = server.lines()
    assert sorted(lines) == sorted(line for batch in batches for line in batch.split())
    assert 1 <= server.met <= 8
    assert len(set(stream._idle)) == len(stream._idle) == server.met


@linux
def test_an_unacknowledged_batch_is_not_accepted():
    with peer(read_all, held=True, window=4096) as it:
        stream = stream_to(it.port, timeout_seconds=0.3)

        assert "not all of it was acknowledged in time" in fault(stream, b"x" * 200_000)


@linux
def test_a_connection_that_the_peer_closed_is_noticed_before_a_write(stream, server):
    stream.send(b"one\n")
    assert server.lines() == [b"one"]
    server.hang_up()

    stream.send(b"two\n")

    assert server.lines() == [b"one", b"two"]
    assert server.met == 2
    assert server.torn == []


@linux
def test_a_connection_is_not_used_after_an_error(server):
    """An unfinished line of a failed batch must not continue with a line of another."""
    stream = stream_to(server.port, timeout_seconds=0.5)
    stuck = threading.Event()
    server.loop.call_soon_threadsafe(stuck.wait, 20)  # until then it reads nothing
    detail = fault(stream, b"x" * 64 * 1_048_576)

    stuck.set()
    stream.send(b"whole\n")

    assert server.lines() == [b"whole"]
    assert server.met == 2
    assert detail.startswith(f"{HOST}:{server.port}: the other side did not take all of it in time")
    stream.close()


@linux
def test_an_error_of_one_connection_closes_all(stream, server):
    stream._idle.extend(stream._connect() for _ in range(3))
    assert server.lines() == []
    stream._idle[-1].write = raising(ConnectionResetError("broken"))

    fault(stream)

    assert not stream._idle


def raising(error):
    def call(*_):
        raise error

    return call


def test_a_frozen_peer_does_not_hang_a_worker():
    with peer(read_all, held=True) as it:
        stream = stream_to(it.port, accept_when="read", timeout_seconds=0.3)

        assert "did not read all and end its side in time; see `accept_when`" in fault(stream)


@pytest.mark.parametrize("accept_when", ["read", "acknowledged"])
def test_a_peer_that_resets_the_connection_is_unreachable(accept_when):
    with peer(reset, held=True) as it:
        stream = stream_to(it.port, accept_when=accept_when)
        it.go_after(0.1)

        assert fault(stream, b"x" * 8_000_000)


def test_a_refused_connection_is_unreachable():
    port = unused_port()

    assert fault(stream_to(port)) == f"{HOST}:{port}: Connection refused"


def test_a_host_that_dns_does_not_resolve_is_unreachable():
    assert fault(stream_to(1, "no.such.invalid")).startswith(
        "no.such.invalid:1: DNS does not resolve the host ("
    )


def test_a_peer_that_came_back_is_used_again(stream, server):
    stream.send(b"one\n")
    assert server.lines() == [b"one"]
    server.refuse()
    assert fault(stream)

    server.resume()
    stream.send(b"two\n")

    assert server.lines() == [b"one", b"two"]


@linux
def test_a_closed_stream_can_be_used_again(stream, server):
    stream.send(b"one\n")
    stream.close()

    stream.send(b"two\n")

    assert server.lines() == [b"one", b"two"]
    assert server.met == 2


@linux
def test_a_forked_child_does_not_use_its_parents_connections(stream, server):
    stream.send(b"parent\n")

    child = os.fork()
    if not child:
        stream.send(b"child\n")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    stream.send(b"parent again\n")

    assert status == 0
    assert sorted(server.lines()) == [b"child", b"parent", b"parent again"]
    assert server.met == 2


@pytest.fixture
def encrypted(tmp_path):
    bundle, context = tls.authority(tmp_path)
    with line_stub.Server(tls=context) as running:
        yield running, bundle


@pytest.mark.parametrize("accept_when", ["read", "acknowledged"])
def test_lines_go_over_tls_to_a_peer_that_the_ca_file_trusts(encrypted, accept_when):
    server, bundle = encrypted
    stream = stream_to(server.port, tls=True, ca_file=bundle, accept_when=accept_when)

    stream.send(b"one\n")
    stream.send(b"two\n")

    assert server.lines() == [b"one", b"two"]
    stream.close()


def test_the_ca_bundle_of_the_environment_is_trusted_without_a_ca_file(encrypted):
    server, bundle = encrypted
    stream = stream_to(server.port, network=Network(ca_bundle=bundle), tls=True)

    stream.send(b"one\n")

    assert server.lines() == [b"one"]
    stream.close()


def test_only_the_systems_certificates_are_trusted_by_default(encrypted):
    server, _ = encrypted
    detail = fault(stream_to(server.port, tls=True))

    assert detail.endswith(
        "its certificate is not accepted: unable to get local issuer certificate; check `ca_file` "
        "and `server_name`"
    )
    assert server.lines() == []


def test_the_certificate_must_have_the_server_name(encrypted):
    server, bundle = encrypted
    stream = stream_to(server.port, tls=True, ca_file=bundle, server_name="logs.example.com")

    assert "certificate is not valid for 'logs.example.com'" in fault(stream)
    assert server.lines() == []


def test_the_server_name_may_differ_from_the_host(encrypted):
    server, bundle = encrypted
    stream = stream_to(
        server.port, "localhost", tls=True, ca_file=bundle, server_name=HOST, accept_when="read"
    )

    stream.send(b"one\n")

    assert server.lines() == [b"one"]


def test_plain_lines_to_a_tls_port_are_not_accepted(tmp_path):
    _, context = tls.authority(tmp_path)

    def speak_tls(connection):
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    with peer(speak_tls) as it:
        assert fault(stream_to(it.port, accept_when="read"), b'{"eventID":"1"}\n' * 20)


def test_a_tls_alert_in_answer_to_plain_lines_is_recognized():
    def alert(connection):
        connection.sendall(b"\x15\x03\x03\0\x02\x02\x0a")
        read_all(connection)

    with peer(alert) as it:
        assert fault(stream_to(it.port, accept_when="read")).endswith(
            "it answers, which a receiver of lines does not do; it speaks TLS, so set `tls = true`"
        )


def test_a_web_server_that_reads_lines_to_the_end_does_not_accept_them():
    def not_understand(connection):
        read_all(connection)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with peer(not_understand) as it:
        detail = fault(stream_to(it.port, accept_when="read"))

    assert r'which a receiver of lines does not do; it sent "HTTP/1.1 400 Bad Request\r\n' in detail


def test_tls_to_a_plain_port_says_so(server):
    detail = fault(stream_to(server.port, tls=True, connect_seconds=0.3))

    assert detail.endswith("no TLS handshake in time; is that port plain TCP?")


def test_a_missing_ca_bundle_is_an_error_when_the_stream_is_opened(tmp_path):
    gone = tmp_path / "gone.pem"

    with pytest.raises(ConfigError, match=r"gone\.pem cannot be read: No such file"):
        stream_to(1, network=Network(ca_bundle=gone), tls=True)
