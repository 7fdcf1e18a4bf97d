"""Reaching a host, step by step, on servers of 127.0.0.1."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit

import pytest

from tests.support.http_stub import Reply, Server
from tests.support.tls import authority, tunnels
from trailcourier.aws import tls_contexts
from trailcourier.aws.network import Network, Peer
from trailcourier.doctor import deadlines, reachability
from trailcourier.doctor.reachability import Failure, reach

NOWHERE = f"{'a.' * 130}example"  # longer than a name may be, so no resolver is asked


@pytest.fixture
def served(tmp_path):
    """A server with TLS, and the bundle that vouches for it."""
    bundle, context = authority(tmp_path)
    with Server(lambda request: Reply(200), tls=context) as server:
        yield server, bundle


@pytest.fixture
def mute():
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@contextlib.contextmanager
def proxy(answer):
    """A proxy that answers whatever it is asked with *answer*."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard = []

        def serve():
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        thread.join(10)


def test_a_host_that_shows_a_trusted_certificate_is_reached(served):
    server, bundle = served

    assert reach(Peer(server.url, bundle), Network()) is None
    assert reach(Peer(server.url), Network(ca_bundle=bundle)) is None
    assert reach(Peer(server.url.replace("https", "tls"), bundle), Network()) is None


def test_a_host_without_tls_needs_a_connection_alone(mute):
    assert reach(Peer(f"http://127.0.0.1:{mute}"), Network()) is None
    assert reach(Peer(f"tcp://127.0.0.1:{mute}"), Network()) is None


def test_a_name_that_is_not_known_is_the_first_step():
    failure = reach(Peer(f"https://{NOWHERE}"), Network())

    assert failure is not None
    assert failure.id == "TC101"


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "a..example"])
def test_an_invalid_name_fails_in_the_first_step(name):
    failure = reach(Peer(f"https://{name}"), Network())

    assert failure is not None
    assert failure.id == "TC101"


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch):
    never = threading.Event()

    def resolve(*_, **__):
        never.wait()
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    failure = reach(Peer("https://example.com"), Network(), seconds=0.2)
    never.set()

    assert failure == Failure("TC101", "no answer within 0 s")


def test_a_port_that_is_closed_is_the_second_step():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    assert reach(Peer(f"https://127.0.0.1:{port}"), Network()) == Failure(
        "TC102", "Connection refused"
    )


def test_another_address_of_the_name_is_tried(mute, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        closed = listening.getsockname()[1]
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in (closed, mute)
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)

    assert reach(Peer("tcp://two:1"), Network()) is None


def test_a_certificate_that_nobody_vouches_for_is_the_last_step(served):
    server, _ = served

    failure = reach(Peer(server.url), Network())

    assert failure is not None
    assert failure.id == "TC104"
    assert failure.words.startswith("its certificate is not accepted: ")


def test_a_certificate_of_another_name_is_not_trusted(served):
    server, bundle = served

    failure = reach(Peer(server.url, bundle, server_name="other.example"), Network())

    assert failure is not None
    assert failure.id == "TC104"
    assert "other.example" in failure.words


@pytest.mark.parametrize(("scheme", "agreed"), [("https", "http/1.1"), ("tls", None)])
def test_http_is_only_offered_to_a_host_that_speaks_it(tmp_path, scheme, agreed):
    bundle, context = authority(tmp_path)
    context.set_alpn_protocols(["http/1.1"])
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            with context.wrap_socket(connection, server_side=True) as encrypted:
                heard.append(encrypted.selected_alpn_protocol())

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"
        assert reach(Peer(url, bundle), Network()) is None
        thread.join(10)

    assert heard == [agreed]


def test_a_host_that_is_silent_before_tls_is_not_waited_for(mute):
    failure = reach(Peer(f"https://127.0.0.1:{mute}"), Network(), seconds=4)

    assert failure == Failure("TC104", "no answer in time")


def test_where_no_time_is_left_for_the_first_step_it_is_the_one_that_failed(monkeypatch):
    def run_within(seconds, do):
        raise TimeoutError

    monkeypatch.setattr(deadlines, "run_within", run_within)

    failure = reach(Peer("https://127.0.0.1:1"), Network(), seconds=0)

    assert failure == Failure("TC101", "no answer within 0 s")


def test_a_host_without_tls_fails_in_the_tls_step():
    with Server(lambda request: Reply(400)) as server:
        failure = reach(Peer(server.url.replace("http", "https")), Network())

    assert failure is not None
    assert failure.id == "TC104"


def test_a_host_behind_a_proxy_is_reached_through_it(served):
    server, bundle = served
    with tunnels() as between:
        network = Network(https_proxy=between.url)

        assert reach(Peer(server.url, bundle), network) is None
        assert between.tunnels == [urlsplit(server.url).netloc]


def test_what_speaks_no_http_goes_by_no_proxy(served):
    server, bundle = served
    with tunnels() as between:
        network = Network(https_proxy=between.url, http_proxy=between.url)

        assert reach(Peer(server.url.replace("https", "tls"), bundle), network) is None
        assert between.tunnels == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "it answered 403 Forbidden"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "it answered 407 Proxy"),
        (b"", "it closed the connection, or its answer is not HTTP"),
        (b"220 mail\r\n\r\n", "it closed the connection, or its answer is not HTTP"),
    ],
)
def test_a_proxy_that_refuses_is_the_third_step_in_its_own_words(answer, words):
    with proxy(answer) as (url, _):
        failure = reach(Peer("https://sqs.eu-west-1.amazonaws.com"), Network(https_proxy=url))

    assert failure is not None
    assert failure.id == "TC103"
    assert failure.words.startswith(f"the proxy 127.0.0.1: {words}")


def test_a_proxys_login_is_sent_only_to_the_proxy():
    with proxy(b"HTTP/1.1 407 No\r\n\r\n") as (url, heard):
        network = Network(https_proxy=url.replace("://", "://user:hunter2%21@"))
        failure = reach(Peer("https://sqs.eu-west-1.amazonaws.com"), network)

    assert b"Proxy-Authorization: Basic dXNlcjpodW50ZXIyIQ==\r\n" in heard[0]
    assert "hunter2" not in str(failure)


def test_a_proxy_whose_name_is_not_known_is_named():
    network = Network(https_proxy=f"http://{NOWHERE}:3128")

    failure = reach(Peer("https://sqs.eu-west-1.amazonaws.com"), network)

    assert failure is not None
    assert failure.id == "TC101"
    assert failure.words.startswith("the proxy a.a.")


def test_a_plain_host_behind_a_proxy_needs_the_proxy_alone(mute):
    network = Network(http_proxy=f"http://127.0.0.1:{mute}")

    assert reach(Peer("http://somewhere.example"), network) is None


def test_a_proxy_that_speaks_tls_itself_is_gone_through(served, tmp_path):
    server, bundle = served
    folder = tmp_path / "proxy"
    folder.mkdir()
    theirs, context = authority(folder)
    both = tmp_path / "both.pem"
    both.write_bytes(bundle.read_bytes() + theirs.read_bytes())
    with tunnels() as between:
        between.socket = context.wrap_socket(between.socket, server_side=True)
        network = Network(https_proxy=between.url.replace("http", "https"), ca_bundle=both)

        assert reach(Peer(server.url), network) is None
        assert between.tunnels == [urlsplit(server.url).netloc]
        assert reach(Peer(server.url, theirs), network).id == "TC104"


@pytest.mark.parametrize("trusted", [tls_contexts.as_boto3, tls_contexts.for_sink])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_bundle_without_certificates_is_named_also_with_a_proxy(mute, tmp_path, scheme, trusted):
    bundle = tmp_path / "empty.pem"
    bundle.write_text("")
    network = Network(https_proxy=f"{scheme}://127.0.0.1:{mute}", ca_bundle=bundle)

    failure = reach(Peer("https://somewhere.example"), network, trusted=trusted)

    assert failure == Failure("TC104", f"{bundle} holds no certificate in PEM format")


def test_nothing_is_left_open(served, mute):
    """Warnings are errors here, and a socket that nobody closed is one."""
    server, bundle = served
    for peer in (Peer(server.url, bundle), Peer(server.url), Peer(f"tcp://127.0.0.1:{mute}")):
        reach(peer, Network())

    assert reachability.SECONDS == 4
