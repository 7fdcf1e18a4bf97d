"""What systemd is told, over a socket as systemd has one."""

import os
import secrets
import socket

import pytest
import redis

from tests.unit.fleets import wired
from trailcourier import pulse, watchdog, wiring


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path, monkeypatch):
    """What systemd was told so far, at a socket of either kind."""
    name = f"{tmp_path}/notify" if request.param == "path" else f"@{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taking:
        taking.bind(name.replace("@", "\0") if name.startswith("@") else name)
        taking.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        monkeypatch.setenv("WATCHDOG_USEC", "120000000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))

        def told():
            words = []
            while True:
                try:
                    words.append(taking.recv(100))
                except BlockingIOError:
                    return words

        yield told


def test_a_process_says_that_it_works(systemd):
    watchdog.feed(os.environ)

    assert systemd() == [b"WATCHDOG=1"]


def test_one_that_stands_still_says_nothing(systemd):
    watchdog.feed(os.environ, stuck="the consumer has stood still for 61 s")

    assert systemd() == []


@pytest.mark.parametrize(
    ("name", "value"), [("WATCHDOG_PID", "1"), ("WATCHDOG_PID", ""), ("NOTIFY_SOCKET", "")]
)
def test_one_that_nobody_watches_says_nothing(systemd, monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    watchdog.feed(os.environ)

    assert systemd() == []


def test_with_each_heartbeat_systemd_is_told_also_where_the_file_cannot_be_written(
    systemd, tmp_path
):
    (tmp_path / "in the way").write_text("")

    pulse.beat(tmp_path / "heartbeat", away="the broker has not answered for 61 s")
    pulse.beat(tmp_path / "in the way" / "heartbeat")
    pulse.beat(tmp_path / "heartbeat", stuck="it stands still")

    assert systemd() == [b"WATCHDOG=1"] * 2


def test_a_systemd_that_is_away_is_said(tmp_path, monkeypatch, capsys):
    pulse.observe.configure("json", "info")
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/gone")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))

    pulse.beat(tmp_path / "heartbeat")

    assert "systemd's watchdog: No such file or directory" in capsys.readouterr().err


def test_the_clock_feeds_it_while_its_broker_is_away(systemd, client, tmp_path, monkeypatch):
    def away(*_):
        raise redis.ConnectionError("gone")

    with wired(client, heartbeat_file=tmp_path / "heartbeat"):
        clock = pulse.ClockPulse()
        monkeypatch.setattr(wiring.workers(), "heartbeat", away)
        clock.take()

    assert systemd()
