"""How a poll hands its objects to the fleet."""

import json
import subprocess
import sys
from base64 import b64decode

import pytest
from kombu.utils.json import loads

from tests.support.relay import relay
from trailcourier.ledger import broker

QUEUE = "trailcourier:1:celery:objects"


@pytest.fixture
def client(shared_broker, fleet):
    with broker.connect(shared_broker.url) as connected:
        yield connected


@pytest.fixture
def counted(shared_broker):
    """A way to the broker that counts round trips."""
    with relay(int(shared_broker.url.rsplit(":", 1)[1].split("/")[0]), patience=0.05) as between:
        yield between


@pytest.fixture
def publish(fleet, shared_broker, counted):
    """A function that publishes a chord of so many works, in a process of its own."""
    port = shared_broker.url.rsplit(":", 1)[1]
    environment = fleet.environment | {
        "FLEET_BROKER": shared_broker.url.replace(port, f"{counted.port}/0")
    }
    argv = [sys.executable, "-m", "tests.integration.trial_publish"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, env=environment, **pipes) as process:

        def publish(works):
            process.stdin.write(f"{works}\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield publish
        process.stdin.close()
        process.wait(10)


def messages(client):
    return [json.loads(raw) for raw in client.lrange(QUEUE, 0, -1)]


def test_a_chord_is_published_in_as_many_round_trips_whatever_its_size(publish, counted, client):
    def cost(works):
        before = counted.turns
        publish(works)
        return counted.turns - before

    cost(1)  # connects, once in a process
    of_one, of_ten = cost(1), cost(10)

    assert client.llen(QUEUE) == 12
    # the chord's size (a DEL and a SET), all headers at once, and the look whether any wait
    assert of_one == of_ten == 4


def test_what_is_published_is_neither_idle_nor_expiring(publish, client):
    answer = publish(2)

    assert answer == "published, idle: False"
    assert all(message["headers"]["expires"] is None for message in messages(client))


def test_a_task_message_names_its_object_for_people_and_its_lease_for_the_line(publish, client):
    publish(1)

    (message,) = messages(client)
    args, kwargs, embedded = loads(b64decode(message["body"]))

    assert message["headers"]["task"] == "trailcourier.forward"
    assert message["headers"]["argsrepr"] == r"prod s3://bucket/key-0\n"
    assert args == ["prod", "m1", 0, 1, "s3://bucket/key-0\n"]
    assert kwargs == {}
    assert embedded["chord"]["task"] == "trailcourier.settle"
    assert embedded["chord"]["args"] == ["prod", ["m1"]]
    assert embedded["chord"]["options"]["argsrepr"] == "prod, 1 message"
    assert embedded["chord"]["options"]["kwargsrepr"] == ""


def test_every_header_of_a_chord_carries_the_same_body(publish, client):
    publish(3)

    bodies = [loads(b64decode(x["body"]))[2]["chord"] for x in messages(client)]

    assert len({body["options"]["task_id"] for body in bodies}) == 1


def test_the_headers_of_a_chord_are_numbered_and_counted(publish, client):
    publish(3)

    headers = [message["headers"] for message in reversed(messages(client))]
    (group,) = {header["group"] for header in headers}
    size = client.get(f"trailcourier:1:celery:celery-taskset-meta-{group}.s")
    assert [header["group_index"] for header in headers] == [0, 1, 2]
    assert size == b"3"
    assert all(header["ignore_result"] for header in headers)
