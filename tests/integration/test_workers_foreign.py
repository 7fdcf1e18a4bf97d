"""Messages in the broker that are no tasks of ours, and commands that nobody may give."""

import json
from base64 import b64encode

import pytest
from celery.worker.control import Panel

from tasks.control import ANSWERED
from tests.support.fleet import until
from trailcourier.host import child_process
from trailcourier.ledger import broker

KEYS = "trailcourier:1:celery:"
ASIDE = f"{KEYS}aside"
PIDBOX = f"{KEYS}/0.celery.pidbox"


def changed(where, value):
    """A message that differs from a task of ours in one place, as a function of that task."""

    def change(task):
        place, last = task, where.split(".")
        for name in last[:-1]:
            place = place[name]
        if value is REMOVED:
            del place[last[-1]]
        else:
            place[last[-1]] = value
        return json.dumps(task).encode()

    return change


def body(*parts):
    """As ``changed``, with another body."""
    return changed("body", b64encode(json.dumps(parts).encode()).decode())


REMOVED = object()
EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
MESSAGES = {
    "an empty object": lambda _: b"{}",
    "an empty list": lambda _: b"[]",
    "null": lambda _: b"null",
    "a number": lambda _: b"17",
    "nothing": lambda _: b"",
    "bytes that are no text": lambda _: bytes(range(256)),
    "text": lambda _: b"hello",
    "a word of it that is no text": lambda task: json.dumps(task).encode().replace(b"py", b"\xff"),
    "half a message": lambda task: json.dumps(task).encode()[:300],
    "very deep": lambda _: b"[" * 100_000,
    "very long": lambda _: b"x" * 300_000,
    "no headers": changed("headers", REMOVED),
    "headers that are null": changed("headers", None),
    "headers that are a list": changed("headers", ["task"]),
    "headers that are a number": changed("headers", 3),
    "no properties": changed("properties", REMOVED),
    "properties that are text": changed("properties", "none"),
    "no delivery tag": changed("properties.delivery_tag", REMOVED),
    "a delivery tag that is a list": changed("properties.delivery_tag", [1]),
    "a delivery tag that is no text": changed("properties.delivery_tag", "\ud800"),
    "no delivery information": changed("properties.delivery_info", REMOVED),
    "delivery information that is null": changed("properties.delivery_info", None),
    "an unknown encoding": changed("properties.body_encoding", "rot13"),
    "no base64": changed("body", "@@@"),
    "a body that is a number": changed("body", 3),
    "no body": changed("body", REMOVED),
    "no JSON in the body": changed("body", b64encode(b"\xff{").decode()),
    "a body of three words": body("one", "two", "three"),
    "a body of one part": body([]),
    "an unknown task": changed("headers.task", "trailcourier.polls"),
    "a task that is a list": changed("headers.task", ["trailcourier.poll"]),
    "a task that is null": changed("headers.task", None),
    "a task of Celery's own": changed("headers.task", "celery.backend_cleanup"),
    "no task": changed("headers.task", REMOVED),
    "no id": changed("headers.id", REMOVED),
    "an id that is a list": changed("headers.id", [1]),
    "a time limit that is a number": changed("headers.timelimit", 3),
    "a time at which it is due": changed("headers.eta", "2099-01-01T00:00:00+00:00"),
    "a time that is none": changed("headers.eta", "soon"),
    "pickled": changed("content-type", "application/x-python-serialize"),
    "of a content nobody knows": changed("content-type", "application/x-nothing"),
    "compressed, it says": changed("headers.compression", "zlib"),
    "no arguments": body([], {}, EMBED),
    "too many arguments": body(["prod", 0, 1], {}, EMBED),
    "an argument of another kind": body(["prod", "one"], {}, EMBED),
    "an unknown argument": body(["prod"], {"until": 3}, EMBED),
    "what is embedded is a number": body(["prod", 0], {}, 3),
    "a chord that is none": body(["prod", 0], {}, EMBED | {"chord": 3}),
    "a callback that is none": body(["prod", 0], {}, EMBED | {"callbacks": [{"task": 1}]}),
}


@pytest.fixture
def client(shared_broker, fleet):
    with broker.connect(shared_broker.url) as connected:
        yield connected


@pytest.fixture
def task(fleet, client):
    """A function that gives a task message of ours, which is taken out of its queue."""

    def task():
        fleet.app.send_task("trailcourier.poll", ("prod", 0), queue="control")
        return json.loads(client.rpop(f"{KEYS}control"))

    return task


def push(client, message, queue="control"):
    client.lpush(KEYS + queue, message)


def test_what_is_no_task_of_ours_is_set_aside_and_ends_nobody(fleet, client, task):
    messages = {name: change(task()) for name, change in MESSAGES.items()}
    for number, message in enumerate(messages.values()):
        push(client, message, ("control", "objects")[number % 2])

    worker = fleet.worker("-c", "2", AWS_EC2_METADATA_DISABLED="true")
    until(lambda: client.llen(ASIDE) == len(messages), what=lambda: worker.output)
    assert client.hlen(f"{KEYS}unacked") == 0
    assert sorted(x[:65_536] for x in messages.values()) == sorted(client.lrange(ASIDE, 0, -1))
    client.delete(ASIDE)
    for number, (name, message) in enumerate(messages.items(), 1):  # the worker waits by BRPOP
        push(client, message, ("control", "objects")[number % 2])
        until(lambda n=number: client.llen(ASIDE) == n, what=lambda n=name: f"{n}: {worker.output}")

    for _ in range(5):  # it still takes tasks: no slot was lost
        fleet.app.send_task("trailcourier.settle", (None, "prod", []), queue="control")
    until(lambda: worker.output.count("trailcourier.settle[") == 10, what=lambda: worker.output)
    aside = list(reversed(client.lrange(ASIDE, 0, -1)))
    assert [each[:65_536] for each in messages.values()] == aside
    assert client.hlen(f"{KEYS}unacked") == 0
    assert "Traceback" not in worker.output
    assert not worker.ended


def test_what_is_set_aside_is_logged_a_few_times_a_minute_and_bounded(fleet, client):
    worker = fleet.worker("-Q", "control")

    for number in range(150):
        push(client, b"foreign %d" % number)
    until(lambda: not client.llen(f"{KEYS}control"), what=lambda: worker.output)
    until(lambda: client.lindex(ASIDE, 0) == b"foreign 149", what=lambda: worker.output)

    assert client.llen(ASIDE) == 100
    assert worker.output.count("message_set_aside") == 10


def test_what_was_set_aside_can_be_given_to_workers_that_know_it(fleet, client, task):
    newer = task()
    body(["delivered"], {"folder": str(fleet.folder)}, EMBED)(newer)
    message = changed("headers.task", "trial.done")(newer)
    worker = fleet.worker("-Q", "control")
    push(client, message)
    until(lambda: client.llen(ASIDE), what=lambda: worker.output)
    child_process.kill(worker.process)
    client.lmove(ASIDE, f"{KEYS}control", "RIGHT", "LEFT")

    another = fleet.worker("-Q", "control", "-I", "tests.integration.trial")

    until((fleet.folder / "done").exists, what=lambda: another.output)


COMMANDS = sorted(set(Panel.data) - ANSWERED)
QUESTIONS = sorted(ANSWERED - {"enable_events"})


def answers(fleet, command, **arguments):
    """What the one worker answers to a broadcast."""
    (answer,) = fleet.app.control.broadcast(
        command, arguments=arguments, reply=True, timeout=10, limit=1
    )
    ((_name, reply),) = answer.items()
    return reply


def test_workers_answer_questions_and_take_no_commands(fleet):
    worker = fleet.worker("-Q", "control")
    until(lambda: fleet.app.control.inspect(timeout=1, limit=1).ping(), what=lambda: worker.output)

    asked = {each: answers(fleet, each) for each in QUESTIONS}
    refused = {each: answers(fleet, each) for each in COMMANDS}

    assert "shutdown" in refused
    assert all("error" in answer for answer in refused.values())
    assert [each for each, answer in asked.items() if answer and "error" in answer] == []
    assert worker.output.count("command_refused") == 10  # a minute
    assert "Traceback" not in worker.output
    assert not worker.ended


BROADCASTS = {
    "text": lambda _: b"hello",
    "bytes": lambda _: bytes(range(256)),
    "an empty object": lambda _: b"{}",
    "an empty list": lambda _: b"[]",
    "a number": lambda _: b"3",
    "very deep": lambda _: b"[" * 100_000,
    "no properties": changed("properties", REMOVED),
    "no body": changed("body", REMOVED),
    "no base64": changed("body", "@@@"),
    "an unknown encoding": changed("properties.body_encoding", "rot13"),
    "a body that is no JSON": changed("body", b64encode(b"{").decode()),
    "a body that is a list": changed("body", b64encode(b"[]").decode()),
    "no command": changed("body", b64encode(b"{}").decode()),
    "a command that is a list": changed("body", b64encode(b'{"method": [1]}').decode()),
    "nowhere to answer": changed("body", b64encode(b'{"method": "ping", "reply_to": 3}').decode()),
    "arguments of another kind": changed(
        "body", b64encode(b'{"method": "ping", "arguments": {"state": 3}}').decode()
    ),
    "a clock that is text": changed("headers", {"clock": "late"}),
    "pickled": changed("content-type", "application/x-python-serialize"),
}


def test_a_broadcast_that_is_none_ends_nobody(fleet, client):
    with client.pubsub() as listening:
        listening.psubscribe(PIDBOX)
        listening.get_message(timeout=5)
        fleet.app.control.broadcast("ping")
        ping = json.loads(listening.get_message(timeout=5)["data"])
    worker = fleet.worker("-Q", "control")
    until(lambda: fleet.app.control.inspect(timeout=1, limit=1).ping(), what=lambda: worker.output)
    connected = worker.output.count("Connected to")

    for name, change in BROADCASTS.items():
        client.publish(PIDBOX, change(json.loads(json.dumps(ping))))
        until(
            lambda: fleet.app.control.inspect(timeout=1, limit=1).ping(),
            what=lambda n=name: f"{n}: {worker.output}",
        )

    assert worker.output.count("Connected to") == connected
    assert not worker.ended
