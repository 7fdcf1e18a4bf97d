"""Workers, the clock and Flower, all over TLS, or over a Unix socket: on Debian's Redis."""

import contextlib
import re
import subprocess

import pytest
import redis

from tests.support import programs, tls
from tests.support.fleet import until
from tests.support.servers import free_port
from tests.support.watched import watching
from trailcourier.host import child_process
from trailcourier.ledger import broker

PASSWORD = "a-password-of-brokers"


@contextlib.contextmanager
def redis_server(folder, url, *options, ca_file=None):
    """A server with *options* that answers at *url*."""
    argv = [programs.found("redis-server", "redis-server"), "--requirepass", PASSWORD, *options]
    process = child_process.start(
        [*argv, "--save", "", "--dir", str(folder)], stdout=subprocess.DEVNULL
    )
    try:
        with broker.connect(url, ca_file=ca_file) as client:
            until(lambda: process.poll() is not None or answers(client))
            yield client
    finally:
        child_process.stop(process, grace=10)


def answers(client):
    with contextlib.suppress(redis.ConnectionError):
        return client.ping()


@pytest.fixture
def over_tls(tmp_path):
    tls.authority(tmp_path)
    port, pem, ca = free_port(), tmp_path / "server.pem", tmp_path / "ca.pem"
    url = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0"
    options = [
        "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no",
        "--tls-cert-file", str(pem), "--tls-key-file", str(pem), "--tls-ca-cert-file", str(ca),
    ]  # fmt: skip
    with redis_server(tmp_path, url, *options, ca_file=str(ca)) as client:
        yield client, url, f'ca_file = "{ca}"', f"rediss://:\\*\\*@127.0.0.1:{port}/0"


@pytest.fixture
def over_a_socket(tmp_path_factory):
    folder = tmp_path_factory.mktemp("socket")  # a socket's path is short
    url = f"unix://:{PASSWORD}@{folder}/redis?db=0"
    with redis_server(folder, url, "--port", "0", "--unixsocket", f"{folder}/redis") as client:
        yield client, url, "", r"redis\+socket://:\*\*@\S*/redis"


@pytest.mark.parametrize("way", ["over_tls", "over_a_socket"])
def test_a_fleet_carries_and_flower_watches_it(tmp_path, request, way):
    client, url, more, shown = request.getfixturevalue(way)
    with watching(tmp_path, url, more) as watched:
        watched.carry(*range(12))
        workers = [each for each in watched.fleet.started if "worker" in each.process.args]
        assert [child_process.stop(each.process, grace=30) for each in workers] == [0, 0]
        client.lpush("trailcourier:1:celery:objects", "one", "two", "three")
        client.lpush("trailcourier:1:celery:control", "one")  # beside the ticks that wait

        status, text = watched.page.ask("/broker")
        lengths = watched.page.api("queues/length")["active_queues"]

    counted = {each["name"]: each["messages"] for each in lengths}
    assert status == 200
    assert re.search(shown, text), text
    assert PASSWORD not in text
    assert re.search(r'<td>objects</td>\s*<td class="[\w-]+">3</td>', text), text
    assert counted["objects"] == 3
    assert counted["control"] >= 1
