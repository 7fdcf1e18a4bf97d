"""One POST, and what the answer of a scripted server means."""

import contextlib
import socketserver
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.support import http_stub, tls
from tests.support.http_stub import Reply
from tests.support.peers import HOST, peer, read_all, reset, unused_port
from trailcourier.aws.network import Network
from trailcourier.errors import ConfigError, Fault, Rejected
from trailcourier.reasons import REASONS
from trailcourier.sinks.endpoint import Endpoint

TOKEN = "2bfbea1e-10c3-4419-bdad-7e6435882e1f"
PATH = f"/v1/noformat/{TOKEN}"
BODY = b'{"eventID":"1"}'


class Server(http_stub.Server):
    """Gives *replies* in turn, then always the last; *asked* are the requests."""

    def __init__(self, *replies, **options):
        self.asked, self._replies = [], list(replies)
        super().__init__(self._next, **options)

    def _next(self, request):
        self.asked.append(request)
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


def endpoint(network=Network(), **settings):  # noqa: B008 - a frozen value
    return Endpoint(
        sink="siem",
        network=network,
        accepted_status=204,
        **{"connect": 5, "timeout": 5, "reasons": {404: "sink-credentials"}, **settings},
    )


@contextlib.contextmanager
def opened(*arguments, **settings):
    made = endpoint(*arguments, **settings)
    yield made
    made.close()


def post(url, made):
    made.post(url, BODY, content_type="application/json")


def fault(server, *, made=None):
    """Return the Fault that a POST to *server* raises."""
    using = opened() if made is None else contextlib.nullcontext(made)
    with using as used, pytest.raises(Fault) as raised:
        post(server.url + PATH, used)
    assert raised.value.where == "siem"
    return raised.value


def test_a_body_is_posted_as_it_is():
    with Server(Reply(204)) as server, opened() as made:
        post(server.url + PATH, made)

    (request,) = server.asked
    assert (request.method, request.target, request.body) == ("POST", PATH, BODY)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "trailcourier"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_status_for_bad_content_is_a_rejection(status):
    with Server(Reply(status, b"no JSON")) as server:
        raised = fault(server)

    assert isinstance(raised, Rejected)
    assert raised.detail == f'{server.url}: it answered {status} instead of 204: "no JSON"'


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "sink-credentials"),
        (403, "sink-credentials"),
        (404, "sink-credentials"),
        (405, "sink-error"),
        (407, "sink-unreachable"),
        (408, "sink-busy"),
        (429, "sink-busy"),
        (500, "sink-error"),
        (502, "sink-error"),
        (503, "sink-error"),
    ],
)
def test_other_statuses_have_a_reason_of_the_sinks_breaker(status, reason):
    with Server(Reply(status)) as server:
        raised = fault(server)

    assert not isinstance(raised, Rejected)
    assert raised.reason == reason
    assert REASONS[reason].breaker == "sink"


@pytest.mark.parametrize("status", [200, 201, 202, 206, 301, 302, 303, 307, 308])
def test_only_the_accepted_status_means_accepted(status):
    """A login page has status 200, and following a redirect would send the token elsewhere."""
    with Server(Reply(status, headers=(("Location", "/elsewhere"),)), Reply(204)) as server:
        raised = fault(server)

    assert raised.reason == "sink-error"
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_may_be_in_seconds(status):
    with Server(Reply(status, headers=(("Retry-After", "17"),))) as server:
        assert fault(server).after == 17


def test_retry_after_may_be_a_time():
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    with Server(Reply(429, headers=(("Retry-After", until),))) as server:
        assert 90 < fault(server).after <= 100


@pytest.mark.parametrize("text", ["", "soon", "-5", "9" * 400, "Mon, 01 Jan 1990 00:00:00 GMT"])
def test_an_invalid_retry_after_is_ignored(text):
    with Server(Reply(429, headers=(("Retry-After", text),))) as server:
        raised = fault(server)

    assert raised.reason == "sink-busy"
    assert raised.after == 0 or raised.after > 600


def test_a_missing_answer_ends_at_the_deadline():
    with peer(read_all) as it, opened(timeout=0.3) as made:
        began = time.monotonic()

        with pytest.raises(Fault, match=r"sink-unreachable: .*: no answer within 0\.3 s"):
            post(f"http://{HOST}:{it.port}{PATH}", made)

        assert time.monotonic() - began < 10


def test_a_post_to_a_server_that_does_not_read_ends_at_a_deadline():
    large = b"x" * 64_000_000
    with (
        peer(read_all, held=True, window=4096) as it,
        opened(connect=0.3) as made,
        pytest.raises(Fault, match="sink-unreachable"),
    ):
        made.post(f"http://{HOST}:{it.port}{PATH}", large, content_type="text/plain")


def test_a_broken_connection_is_unreachable():
    with peer(reset) as it, opened() as made, pytest.raises(Fault, match="sink-unreachable"):
        post(f"http://{HOST}:{it.port}{PATH}", made)


def test_a_port_without_a_listener_is_unreachable():
    with opened() as made, pytest.raises(Fault) as raised:
        post(f"http://{HOST}:{(port := unused_port())}{PATH}", made)

    assert raised.value.reason == "sink-unreachable"
    assert raised.value.detail == f"http://{HOST}:{port}: Connection refused"


def test_a_host_that_dns_does_not_resolve_is_unreachable():
    with opened() as made, pytest.raises(Fault) as raised:
        post(f"http://no.such.invalid{PATH}", made)

    assert raised.value.reason == "sink-unreachable"
    assert TOKEN not in raised.value.detail


def test_a_connection_is_kept_after_any_status():
    with Server(Reply(204), Reply(500, b"x" * 500), Reply(204)) as server, opened() as made:
        post(server.url + PATH, made)
        assert fault(server, made=made).reason == "sink-error"
        post(server.url + PATH, made)

    assert len({request.peer for request in server.asked}) == 1


def test_a_long_answer_is_not_read_to_its_end():
    with Server(Reply(500, b"x" * 5_000_000), Reply(204)) as server, opened() as made:
        raised = fault(server, made=made)
        post(server.url + PATH, made)

    assert len(raised.detail) < 400
    assert len({request.peer for request in server.asked}) == 2


def test_a_connection_that_the_server_closed_is_replaced():
    with Server(Reply(204)) as server, opened() as made:
        post(server.url + PATH, made)
        server.refuse()
        server.resume()

        post(server.url + PATH, made)

    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [400, 500])
def test_an_error_shows_only_the_host_of_a_url(status):
    words = f"cannot POST {PATH}?key=hunter2hunter2 for {TOKEN}".encode()
    with Server(Reply(status, words)) as server, opened() as made, pytest.raises(Fault) as raised:
        post(f"{server.url}{PATH}?key=hunter2hunter2", made)

    shown = f"{raised.value} {raised.value.__cause__} {raised.value.__context__}"
    assert TOKEN not in shown
    assert "hunter2" not in shown
    assert raised.value.detail.startswith(f"{server.url}: it answered {status}")


def test_control_characters_of_an_answer_are_escaped():
    with Server(Reply(500, b"\x1b[31mred\r\nforged line")) as server:
        detail = fault(server).detail

    assert detail.endswith(r'"\x1b[31mred\r\nforged line"')


def test_the_ca_bundle_of_the_environment_is_trusted(tmp_path):
    bundle, context = tls.authority(tmp_path)
    with Server(Reply(204), tls=context) as server, opened(Network(ca_bundle=bundle)) as made:
        post(server.url + PATH, made)

        raised = fault(server)

    assert len(server.asked) == 1
    assert raised.reason == "sink-unreachable"
    assert "its certificate is not accepted: unable to get local issuer" in raised.detail
    assert "AWS_CA_BUNDLE" in raised.detail


def test_a_missing_ca_bundle_is_an_error_when_the_endpoint_is_opened(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.pem cannot be read: No such file"):
        endpoint(Network(ca_bundle=tmp_path / "gone.pem"))


def test_https_goes_through_the_proxy_in_a_tunnel(tmp_path):
    bundle, context = tls.authority(tmp_path)
    with Server(Reply(204), tls=context) as server, tls.tunnels() as proxy:
        network = Network(ca_bundle=bundle, https_proxy=proxy.url)
        with opened(network) as made:
            post(server.url + PATH, made)

        assert proxy.tunnels == [f"{HOST}:{server.port}"]
        assert len(server.asked) == 1


def test_no_proxy_is_used_for_a_host_in_no_proxy(tmp_path):
    bundle, context = tls.authority(tmp_path)
    with Server(Reply(204), tls=context) as server, tls.tunnels() as proxy:
        network = Network(ca_bundle=bundle, https_proxy=proxy.url, no_proxy=HOST)
        with opened(network) as made:
            post(server.url + PATH, made)

        assert proxy.tunnels == []


class _Refusing(socketserver.StreamRequestHandler):
    """A proxy that demands credentials, and keeps the heads of its requests."""

    def handle(self):
        lines = iter(self.rfile.readline, b"\r\n")
        self.server.heads.append(b"".join(lines))
        self.wfile.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def refusing():
    with socketserver.ThreadingTCPServer((HOST, 0), _Refusing) as server:
        server.daemon_threads, server.heads = True, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_only_the_proxy_gets_its_password(refusing, scheme):
    proxy = f"user:p%40ss-hunter2@{HOST}:{refusing.server_address[1]}"  # without a scheme
    with (
        opened(Network(http_proxy=proxy, https_proxy=proxy)) as made,
        pytest.raises(Fault) as raised,
    ):
        post(f"{scheme}://logs.example.com{PATH}", made)

    assert b"proxy-authorization: basic dxnlcjpwqhnzlwh1bnrlcji=" in refusing.heads[0].lower()
    assert raised.value.reason == "sink-unreachable"
    assert "407" in raised.value.detail
    assert "hunter2" not in raised.value.detail


def test_an_unreachable_proxy_is_named():
    network = Network(https_proxy=f"http://{HOST}:{unused_port()}")
    with opened(network) as made, pytest.raises(Fault) as raised:
        post(f"https://logs.example.com{PATH}", made)

    assert raised.value.detail == "https://logs.example.com: the proxy: Connection refused"


def test_threads_post_at_the_same_time():
    with Server(Reply(204)) as server, opened() as made:
        threads = [threading.Thread(target=post, args=(server.url + PATH, made)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        assert len(server.asked) == 16


def test_no_connection_is_left_after_closing():
    with Server(Reply(204)) as server, opened() as made:
        post(server.url + PATH, made)
        assert len(server._connections) == 1

        made.close()
        made.close()

        deadline = time.monotonic() + 10
        while server._connections:
            assert time.monotonic() < deadline
            time.sleep(0.01)
