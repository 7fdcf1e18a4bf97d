"""``trailcourier demo`` as a person starts it: on real processes, to the end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests.support import processes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

DEMO = [sys.executable, "-m", "trailcourier", "demo", "--files", "24", "--seed", "4"]


def left_of(directory):
    """Processes that still have *directory* in their environment or command line."""
    return [line for line in processes.all_of_them() if str(directory) in line]


def awaited(path, text, *, within=60):
    deadline = time.monotonic() + within
    while text not in (output := path.read_text(errors="replace")):
        assert time.monotonic() < deadline, output
        time.sleep(0.1)
    return output


def test_every_record_arrives_and_the_demo_ends_by_itself(tmp_path):
    started = time.monotonic()

    ended = subprocess.run(
        [*DEMO, "--directory", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - started < 90
    counts = json.loads(ended.stdout)
    assert counts["written"] > 400
    assert counts["written"] == counts["delivered"] + counts["filtered"] + counts["refused"]
    assert min(counts["delivered"], counts["filtered"], counts["refused"]) > 0
    assert [counts[name] for name in ("lost", "extra", "altered", "duplicates")] == [0] * 4
    assert len(re.findall(r"password \S+", ended.stderr)) == 1
    assert left_of(tmp_path / "demo") == []


def test_a_demo_that_is_kept_has_flower_and_stops_at_a_signal(tmp_path):
    errors = tmp_path / "stderr"
    with errors.open("wb") as log:
        process = subprocess.Popen(
            [*DEMO, "--keep", "--directory", str(tmp_path / "demo")],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "COLUMNS": "200"},
        )
    with process:
        try:
            output = awaited(errors, "Everything keeps running", within=90)
            url, password = re.search(r"Flower: (\S+)  user demo  password (\S+)", output).groups()
            assert pages(url, "demo", password) == 200
            assert pages(url, "demo", "guess") == 401
        finally:
            process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert json.loads(out)["lost"] == 0
    assert left_of(tmp_path / "demo") == []


def pages(url, user, password):
    """The status of Flower's list of workers."""
    keys = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    keys.add_password(None, url, user, password)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(keys)
    )
    try:
        with opener.open(f"{url}/workers", timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_demo_that_is_killed_leaves_nobody_behind(tmp_path):
    errors = tmp_path / "stderr"
    with (
        errors.open("wb") as log,
        subprocess.Popen(
            [*DEMO, "--directory", str(tmp_path / "demo")],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "COLUMNS": "200"},  # or the line waited for is broken
        ) as process,
    ):
        awaited(errors, "for this host alone")
        time.sleep(2)  # workers are starting

        process.kill()

    deadline = time.monotonic() + 30
    while (left := left_of(tmp_path / "demo")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def test_a_demo_that_is_stopped_early_is_no_success_and_leaves_nothing(tmp_path):
    errors = tmp_path / "stderr"
    with (
        errors.open("wb") as log,
        subprocess.Popen(
            DEMO,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "200"},
        ) as process,
    ):
        awaited(errors, "for this host alone")
        time.sleep(2)  # workers are starting

        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=90)

    assert process.returncode == 1
    assert out == b""
    assert list(tmp_path.glob("trailcourier-demo-*")) == []
    assert left_of(tmp_path) == []
