"""The connection to the broker: what is demanded of it, and how its failures are reported."""

import signal

import pytest
import redis

from tests.support import servers
from tests.support.servers import free_port
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.host import child_process
from trailcourier.ledger import broker


@pytest.fixture(scope="module")
def running():
    with servers.valkey() as started:
        yield started


@pytest.fixture
def connected(running):
    with broker.connect(running.url) as client:
        yield client
        client.config_set("maxmemory-policy", "noeviction")
        client.flushall()


def test_a_usable_broker_is_accepted(connected):
    broker.check_requirements(connected, noeviction=True)


def test_answers_are_bytes(connected):
    connected.set("key", "value")

    assert connected.get("key") == b"value"


def test_a_broker_that_evicts_keys_is_refused(connected):
    connected.config_set("maxmemory-policy", "allkeys-lru")

    with pytest.raises(
        ConfigError, match=r"maxmemory-policy is allkeys-lru.*require_noeviction = false"
    ):
        broker.check_requirements(connected, noeviction=True)


def test_a_broker_that_evicts_keys_is_accepted_on_request(connected):
    connected.config_set("maxmemory-policy", "allkeys-lru")

    broker.check_requirements(connected, noeviction=False)


def test_the_policy_is_read_from_info_where_config_is_denied(running, connected):
    """Managed services deny CONFIG."""
    connected.acl_setuser(
        "guest", enabled=True, passwords=["+guest"], categories=["+@all"], commands=["-config"]
    )
    connected.config_set("maxmemory-policy", "volatile-lru")
    url = running.url.replace("redis://:", "redis://guest:").replace(running._password, "guest")

    with broker.connect(url) as guest, pytest.raises(ConfigError, match="volatile-lru"):
        broker.check_requirements(guest, noeviction=True)


class RestrictedClient(redis.Redis):
    """Answers INFO with *answer*, and CONFIG GET with an error."""

    answer: dict[str, object]

    def info(self, *_, **__):
        return self.answer

    def config_get(self, *_, **__):
        raise redis.ResponseError("unknown command 'CONFIG'")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"maxmemory_policy": "noeviction", "cluster_enabled": 1}, "Redis Cluster"),
        ({"maxmemory_policy": "noeviction", "redis_mode": "cluster"}, "Redis Cluster"),
        ({"maxmemory_policy": "noeviction", "redis_mode": "sentinel"}, "Sentinel"),
        ({"role": "master"}, "maxmemory-policy is unknown"),
    ],
    ids=["cluster", "cluster-mode", "sentinel", "policy-hidden"],
)
def test_an_unusable_broker_is_refused(answer, words):
    restricted = RestrictedClient(host="127.0.0.1", port=6399)
    restricted.answer = answer

    with pytest.raises(ConfigError, match=words):
        broker.check_requirements(restricted, noeviction=True)


def test_every_problem_is_reported_at_once():
    restricted = RestrictedClient()
    restricted.answer = {"maxmemory_policy": "allkeys-lru", "cluster_enabled": 1}

    with pytest.raises(ConfigError) as raised:
        broker.check_requirements(restricted, noeviction=True)

    assert len(raised.value.problems) == 2


def test_a_replica_is_unreachable_and_no_wrong_configuration():
    restricted = RestrictedClient(host="127.0.0.1", port=6399)
    restricted.answer = {
        "maxmemory_policy": "noeviction",
        "role": "slave",
        "master_link_status": "up",
    }

    with pytest.raises(Unreachable, match=r"6399/0: it is a read-only replica. Give the URL of"):
        broker.check_requirements(restricted, noeviction=True)


def test_a_missing_broker_is_reported_in_one_line():
    port = free_port()

    with (
        broker.connect(f"redis://:hush@127.0.0.1:{port}/3") as client,
        pytest.raises(Unreachable, match=rf"broker 127.0.0.1:{port}/3: no connection") as raised,
    ):
        broker.check_requirements(client, noeviction=True)

    assert "\n" not in str(raised.value)
    assert "hush" not in str(raised.value)


def test_a_wrong_password_is_reported_and_not_shown(running):
    url = running.url.replace(running._password, "not-the-password")

    with broker.connect(url) as client, pytest.raises(Unreachable, match="password") as raised:
        broker.check_requirements(client, noeviction=True)

    assert "not-the-password" not in str(raised.value)


def test_a_broker_that_hangs_is_unreachable(running, connected, monkeypatch):
    monkeypatch.setitem(connected.connection_pool.connection_kwargs, "socket_timeout", 0.2)
    connected.connection_pool.disconnect()
    assert running.process is not None
    child_process.send(running.process, signal.SIGSTOP)

    try:
        with pytest.raises(Unreachable, match="no answer"):
            broker.check_requirements(connected, noeviction=True)
    finally:
        child_process.send(running.process, signal.SIGCONT)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:pa/hush@host:1/0",
        "redis://:hush#x@host/0",
        "http://:hush@host/",
        "",
        "redis://[::1",
    ],
    ids=["slash", "hash", "scheme", "empty", "bracket"],
)
def test_a_wrong_url_is_refused_without_showing_the_password(url):
    with pytest.raises(ConfigError, match="is not a Redis URL") as raised:
        broker.connect(url)

    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:hush@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss://user:hush@host/1?x=hush", "rediss://user:***@host/1"),
        ("redis://host:6379", "redis://host:6379"),
        ("redis://:a/hush@host:1/0", "the configured URL"),
        ("hush", "the configured URL"),
    ],
    ids=["password", "user", "none", "broken", "bare"],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert broker.mask_password(url) == shown


def test_a_ca_file_is_trusted(tmp_path):
    client = broker.connect("rediss://host:6379/0", ca_file=str(tmp_path / "ca.pem"))

    assert client.connection_pool.connection_kwargs["ssl_ca_certs"] == str(tmp_path / "ca.pem")
