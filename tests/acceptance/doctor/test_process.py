"""Doctor as a process: what a person sees, and that it ends whatever hangs."""

import contextlib
import json
import os
import pty
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.support.doctor_call import CONFIG

MAIN = [sys.executable, "-m", "trailcourier"]
MORE = """
[sources.dev]
queue_url = "{queue}-dev"
queue_region = "eu-west-1"
buckets = ["acme-dev"]
sinks = ["siem"]
[sinks.siem]
type = "insightidr"
way = "collector"
host = "127.0.0.1"
port = {port}
tls = {tls}
"""


@pytest.fixture
def environment(account, client, tmp_path):
    known = client.connection_pool.connection_kwargs
    (tmp_path / "events").mkdir()
    (tmp_path / "trailcourier.toml").write_text(CONFIG.format(queue=account.queue_url()))
    return os.environ | {
        "BROKER": f"redis://:{known['password']}@127.0.0.1:{known['port']}/0",
        "AWS_ENDPOINT_URL": account.front.url,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "hunter2-correct-horse",
    }


def run(folder, environment, *arguments, **more):
    return subprocess.run(
        [*MAIN, "doctor", *arguments],
        cwd=folder, env=environment, text=True, timeout=60, check=False,
        **({"capture_output": True} | more),
    )  # fmt: skip


def test_a_person_reads_what_was_found_and_where_to_begin(environment, account, tmp_path):
    account.unsubscribe()

    done = run(tmp_path, environment)

    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "prod"
    assert any(
        line.startswith("  error        TC402  the queue is not subscribed") for line in lines
    )
    assert lines[-1] == "1 error; begin with TC402 (docs/doctor.md explains each id)."


def test_a_good_account_is_0_and_leaves_everything_as_it_was(environment, tmp_path):
    done = run(tmp_path, environment)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("No errors; ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events", "trailcourier.toml"]


def test_where_aws_hid_something_the_last_line_says_so(environment, account, tmp_path):
    account.front.denied["sns:ListSubscriptionsByTopic"] = ""

    done = run(tmp_path, environment)

    assert done.returncode == 0
    *_, remaining, fix, last = done.stdout.splitlines()
    assert "these causes remain possible: the queue is not subscribed" in remaining
    assert "--profile NAME" in fix
    assert last.endswith(". TC004 names the causes that remain possible.")


def test_on_a_terminal_it_says_what_it_is_looking_at(environment, tmp_path):
    ours, theirs = pty.openpty()
    shown = b""

    def read():
        nonlocal shown
        with contextlib.suppress(OSError):  # how a terminal ends
            while data := os.read(ours, 65536):
                shown += data

    reader = threading.Thread(target=read)
    reader.start()
    run(tmp_path, environment | {"TERM": "xterm"}, capture_output=False,
        stdout=subprocess.DEVNULL, stderr=theirs)  # fmt: skip
    os.close(theirs)
    reader.join(10)
    os.close(ours)

    assert b"checking" in shown


@pytest.fixture
def mute():
    """A port that takes connections and answers nothing."""
    held = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    held.append(listening.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    for connection in held:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_it_ends_within_half_a_minute_when_everything_hangs(
    environment, account, tmp_path, mute, scheme
):
    tls = {"http": "false", "https": "true"}[scheme]
    more = MORE.format(queue=account.queue_url(), port=mute, tls=tls)
    (tmp_path / "trailcourier.toml").write_text(CONFIG.format(queue=account.queue_url()) + more)
    hanging = environment | {
        "AWS_ENDPOINT_URL": f"{scheme}://127.0.0.1:{mute}",
        "BROKER": f"redis://127.0.0.1:{mute}/0",
    }
    began = time.monotonic()

    done = run(tmp_path, hanging, "--json")

    assert time.monotonic() - began < 30
    output = json.loads(done.stdout)
    assert (done.returncode, output["first"]) == (1, "TC105" if scheme == "http" else "TC104")
    assert {each["source"] for each in output["findings"]} == {"prod", "dev"}
