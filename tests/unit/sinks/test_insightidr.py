"""What Rapid7 gets, in each way; test_stream, test_tcp and test_endpoint cover the connections."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.support import http_stub, line_stub, tls
from tests.support.peers import HOST
from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef, Origin
from trailcourier.sinks import insightidr

TOKEN = "2bfbea1e-10c3-4419-bdad-7e6435882e1f"
OTHER = "993fcb68-2775-4f44-94b3-b8612d9213ef"
ENVIRON = {"TOKEN": TOKEN, "UPPER": TOKEN.upper(), "NO_UUID": "hunter2-token", "NO_URL": "hunter2"}
ORIGIN = Origin("prod", ObjectRef("bucket", "key"), "etag")
RECORDS = [b'{"n":1}', b'{"n":2}', b'{"n":3}']


def parsed(**settings):
    settings = {"type": "insightidr", **settings}
    return TypeAdapter(insightidr.InsightIDR).validate_python(
        settings, context={"environ": ENVIRON}
    )


def opened(**settings):
    return parsed(**settings).open("siem", Network())


def send(sink, *batches):
    delivery = sink.start(ORIGIN)
    try:
        for batch in batches:
            delivery.send(batch)
        delivery.finish()
    finally:
        delivery.drop()
        sink.close()


@pytest.fixture
def port():
    with line_stub.Server() as server:
        yield server


class Hook(http_stub.Server):
    """Rapid7's webhook: it keeps the first line of a body as one event."""

    def __init__(self, **options):
        self.asked = []
        super().__init__(self._take, **options)

    def _take(self, request):
        self.asked.append(request)
        return http_stub.Reply(204)


@pytest.fixture
def hook(monkeypatch):
    with Hook() as server:
        yield server


@pytest.fixture
def file(tmp_path):
    """The file of a secret, and its reference."""

    class File:
        path = tmp_path / "secret"
        reference = f"file:{tmp_path / 'secret'}"

    return File


def test_a_collector_gets_each_record_as_a_line(port):
    sink = opened(way="collector", host=HOST, port=port.port, tls=False)

    send(sink, RECORDS[:1], RECORDS[1:])

    assert port.lines() == RECORDS
    assert port.torn == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_token_port_gets_the_token_before_each_record(port, count):
    sink = opened(way="token", host=HOST, port=port.port, tls=False, token="env:TOKEN")

    send(sink, RECORDS[:count])

    assert port.lines() == [f"{TOKEN} ".encode() + record for record in RECORDS[:count]]


def test_the_token_port_is_that_of_the_region(port):
    sink = opened(way="token", region="us2", token="env:TOKEN")

    assert str(sink._stream._address) == "us2.data.logs.insight.rapid7.com:443"
    assert sink._stream._tls.name == "us2.data.logs.insight.rapid7.com"
    assert not sink._stream._wait_until_read


def test_a_new_token_in_the_file_is_used_at_once(port, file):
    file.path.write_text(TOKEN + "\n")
    sink = opened(way="token", host=HOST, port=port.port, tls=False, token=file.reference)
    sink.start(ORIGIN).send(RECORDS[:1])
    file.path.write_text(OTHER)

    send(sink, RECORDS[1:2])

    assert [line.split()[0].decode() for line in port.lines()] == [TOKEN, OTHER]


@pytest.mark.parametrize("content", ["", "no token", f"{TOKEN}\n{TOKEN}", None])
def test_a_file_without_a_token_parks_the_object_and_sends_nothing(port, file, content):
    file.path.write_text(TOKEN)
    sink = opened(way="token", host=HOST, port=port.port, tls=False, token=file.reference)
    if content is None:
        file.path.unlink()
    else:
        file.path.write_text(content)

    with pytest.raises(Fault) as raised:
        send(sink, RECORDS)

    assert (raised.value.reason, raised.value.where) == ("sink-credentials", "siem")
    assert str(file.path) in raised.value.detail
    assert TOKEN not in raised.value.detail
    assert port.lines() == []


def test_the_webhook_gets_one_record_per_request(hook, file):
    """Rapid7 keeps only the first line of a body, and answers 204."""
    file.path.write_text(f"{hook.url}/v1/noformat/{TOKEN}")

    send(opened(way="webhook", url=file.reference), RECORDS[:1], RECORDS[1:])

    assert [request.body for request in hook.asked] == RECORDS
    assert {request.target for request in hook.asked} == {f"/v1/noformat/{TOKEN}"}
    assert {request.headers["content-type"] for request in hook.asked} == {"application/json"}


def test_a_relay_may_get_several_records_per_request(hook, file):
    file.path.write_text(f"{hook.url}/records")

    send(opened(way="webhook", url=file.reference, request_records=2), RECORDS)

    assert [request.body for request in hook.asked] == [b'{"n":1}\n{"n":2}', b'{"n":3}']
    assert {request.headers["content-type"] for request in hook.asked} == {"application/x-ndjson"}


def test_the_webhook_is_that_of_the_region():
    config = parsed(way="webhook", region="ap", token="env:TOKEN")

    url = f"https://ap.webhook.logs.insight.rapid7.com/v1/noformat/{TOKEN}"
    assert config.current_url == url
    assert config.max_records_per_request == 1


def test_a_new_url_in_the_file_is_used_at_once(hook, file):
    file.path.write_text(f"{hook.url}/old")
    sink = opened(way="webhook", url=file.reference)
    sink.start(ORIGIN).send(RECORDS[:1])
    file.path.write_text(f"{hook.url}/new\n")

    send(sink, RECORDS[1:2])

    assert [request.target for request in hook.asked] == ["/old", "/new"]


def test_status_404_means_wrong_credentials(file):
    with http_stub.Server(lambda _: http_stub.Reply(404)) as server:
        file.path.write_text(f"{server.url}/v1/noformat/x")

        with pytest.raises(Fault, match="sink-credentials"):
            send(opened(way="webhook", url=file.reference), RECORDS)


def test_a_token_may_be_in_upper_case():
    assert parsed(way="webhook", region="eu", token="env:UPPER").current_url.endswith(TOKEN.upper())


@pytest.mark.parametrize(
    "host",
    ["logs.example.com", "10.0.1.40", "::1", "[2001:db8::7]", "collector-1", "fe80::1%eth0"],
)
def test_a_host_is_a_name_or_an_address(host):
    assert parsed(way="collector", host=host, port=1).host == host.strip("[]")


@pytest.mark.parametrize(
    "host", ["", "logs.example.com:6514", "tcp://logs", "a b", "a..b", "x" * 64, "a\nb", "ü" * 300]
)
def test_an_invalid_host_is_refused(host):
    with pytest.raises(ValidationError, match="is not a host name or address"):
        parsed(way="collector", host=host, port=1)


def test_a_ca_file_must_hold_certificates(tmp_path):
    bundle, _ = tls.authority(tmp_path)
    assert parsed(way="collector", host=HOST, port=1, ca_file=bundle).ca_file == bundle

    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(ValidationError, match=r"key\.pem holds no certificate in PEM"):
        parsed(way="collector", host=HOST, port=1, ca_file=tmp_path / "key.pem")


@pytest.mark.parametrize(
    "url",
    ["https://us.webhook.logs.insight.rapid7.com/v1/noformat/x", "https://INSIGHT.rapid7.com/"],
)
def test_a_request_to_rapid7_may_have_only_one_record(file, url):
    file.path.write_text(url)

    with pytest.raises(ValidationError, match="must be 1: Rapid7 keeps only the first line"):
        parsed(way="webhook", url=file.reference, request_records=2)


@pytest.mark.parametrize(
    "url", ["logs.example.com", "ftp://x/y", "http://", "https://x:99999/", "https://x/a b", "https://[x/"]
)  # fmt: skip
def test_a_secret_without_a_url_is_refused_and_not_shown(file, url):
    file.path.write_text(url)

    with pytest.raises(ValidationError, match="holds no URL") as raised:
        parsed(way="webhook", url=file.reference)

    assert url not in str(raised.value)


@pytest.mark.parametrize("way", ["token", "webhook"])
def test_an_invalid_token_is_refused_and_not_shown(way):
    with pytest.raises(ValidationError, match="env:NO_UUID holds no log token") as raised:
        parsed(way=way, region="eu", token="env:NO_UUID")

    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(parsed(way=way, region="eu", token="env:TOKEN"))


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"way": "collector", "host": "logs.corp", "port": 6514}, "tls://logs.corp:6514"),
        ({"way": "collector", "host": "::1", "port": 6514, "tls": False}, "tcp://[::1]:6514"),
        (
            {"way": "token", "region": "eu", "token": "env:TOKEN"},
            "tls://eu.data.logs.insight.rapid7.com:443",
        ),
        (
            {"way": "webhook", "region": "us2", "token": "env:TOKEN"},
            "https://us2.webhook.logs.insight.rapid7.com",
        ),
    ],
)
def test_each_way_names_the_peer_it_connects_to(settings, url):
    assert [peer.url for peer in parsed(**settings).peers()] == [url]
