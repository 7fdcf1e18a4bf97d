"""Flower on our app: it finds the namespaced queues, and shows objects by their names."""

import base64
import json
import socket
import urllib.request

import pytest

from tests.fleet import until


@pytest.fixture
def ask(fleet):
    """A function that asks Flower's API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--address=127.0.0.1", f"--port={port}"]
    flower = fleet.celery("-A", "tasks", "flower", *options, FLOWER_BASIC_AUTH="me:secret")
    credentials = base64.b64encode(b"me:secret").decode()

    def ask(path):
        url = f"http://127.0.0.1:{port}/api/{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Basic {credentials}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def answers():
        with socket.socket() as probe:
            return flower.ended or probe.connect_ex(("127.0.0.1", port)) == 0

    until(answers, what=lambda: flower.said)
    return ask


def test_flower_counts_what_waits_in_our_queues(fleet, ask):
    fleet.worker("-Q", "objects", "-c", "1", "-I", "tests.integration.trial")
    until(lambda: ask("workers?refresh=1"))
    for _ in range(4):
        fleet.app.send_task("trial.stoppable", (str(fleet.folder),), queue="objects")
    until((fleet.folder / "holds").exists)

    (queue,) = ask("queues/length")["active_queues"]

    assert queue == {"name": "objects", "messages": 3}


def test_flower_shows_settles_and_names_what_they_are_of(fleet, ask):
    fleet.worker("-Q", "control")
    until(lambda: ask("workers?refresh=1"))

    fleet.app.send_task("trailcourier.settle", (None, "nowhere", []), queue="control")

    until(lambda: [task["state"] for task in ask("tasks").values()] == ["FAILURE"])
    (task,) = ask("tasks").values()
    assert task["name"] == "trailcourier.settle"
    assert "no source 'nowhere'" in task["exception"]
