"""Notifications to systemd's watchdog, over a socket like systemd's."""

import os
import secrets
import socket

import pytest
import redis

from tests.support.unit_fleets import wired
from trailcourier import wiring
from trailcourier.observability import systemd
from trailcourier.worker import presence


@pytest.fixture(params=["path", "abstract"])
def notified(request, tmp_path, monkeypatch):
    """The datagrams received so far, at a socket of either kind."""
    name = f"{tmp_path}/notify" if request.param == "path" else f"@{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taking:
        taking.bind(name.replace("@", "\0") if name.startswith("@") else name)
        taking.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        monkeypatch.setenv("WATCHDOG_USEC", "120000000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))

        def received():
            words = []
            while True:
                try:
                    words.append(taking.recv(100))
                except BlockingIOError:
                    return words

        yield received


def test_a_working_process_notifies_the_watchdog(notified):
    systemd.notify_watchdog(os.environ)

    assert notified() == [b"WATCHDOG=1"]


def test_a_stuck_process_sends_nothing(notified):
    systemd.notify_watchdog(os.environ, stuck="the consumer has been stuck for 61 s")

    assert notified() == []


@pytest.mark.parametrize(
    ("name", "value"), [("WATCHDOG_PID", "1"), ("WATCHDOG_PID", ""), ("NOTIFY_SOCKET", "")]
)
def test_a_process_without_a_watchdog_sends_nothing(notified, monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    systemd.notify_watchdog(os.environ)

    assert notified() == []


def test_each_heartbeat_notifies_systemd_even_if_the_file_cannot_be_written(notified, tmp_path):
    (tmp_path / "in the way").write_text("")

    presence.beat(tmp_path / "heartbeat", away="the broker has not answered for 61 s")
    presence.beat(tmp_path / "in the way" / "heartbeat")
    presence.beat(tmp_path / "heartbeat", stuck="it is stuck")

    assert notified() == [b"WATCHDOG=1"] * 2


def test_a_missing_socket_is_logged(tmp_path, monkeypatch, capsys):
    presence.log.configure("json", "info")
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/gone")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))

    presence.beat(tmp_path / "heartbeat")

    assert "systemd's watchdog: No such file or directory" in capsys.readouterr().err


def test_beat_notifies_systemd_while_its_broker_is_away(notified, client, tmp_path, monkeypatch):
    def away(*_):
        raise redis.ConnectionError("gone")

    with wired(client, heartbeat_file=tmp_path / "heartbeat"):
        clock = presence.BeatPresence()
        monkeypatch.setattr(wiring.workers(), "note_heartbeat", away)
        clock.beat_if_due()

    assert notified()
