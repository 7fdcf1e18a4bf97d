"""Forwards that a worker takes together are one job of its pool."""

import gzip
import json
import time

import pytest
from celery import signals

from tasks import groups
from tests.support.fleet import until
from tests.support.s3_stub import S3Stub
from tests.support.sqs_stub import SqsStub
from trailcourier.ledger import broker
from trailcourier.worker.pace import LONGEST, SIZE, Pace

KEY = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23/{}.json.gz"


def test_where_one_object_takes_long_each_is_a_group_of_its_own():
    pace = Pace()
    assert pace.size() == 1  # nothing is known yet

    for _ in range(20):
        pace.note(0.004, 1)
    quick = pace.size()
    for _ in range(20):
        pace.note(1.6, 8)

    assert (quick, pace.size()) == (SIZE, 1)


def test_a_worker_takes_no_more_than_its_free_threads_can_work_on(monkeypatch):
    monkeypatch.setattr(groups.pace, "_seconds", LONGEST / 3)
    monkeypatch.setattr(groups, "jobs", set())
    monkeypatch.setattr(groups.state, "reserved_requests", {"a settle"})

    assert groups.room(4) == 3 * 3
    assert groups.room(1) == 0


class Request:
    """What a group needs of Celery's request."""

    def __init__(self, name, said):
        self.id, self.args, self.group, self.chord = name, ("prod",), None, None
        self.acknowledged, self._said = False, said
        self.message = self

    connection_errors = ()
    connection = channel = object()

    def on_accepted(self, _pid, _begun):
        self._said.append(("began", self.id))

    def on_success(self, result):
        self._said.append((result[1], self.id))

    def on_failure(self, info):
        self._said.append((type(info.exception.exc).__name__, self.id))


class Consumer:
    """A consumer whose pool works at once, in the caller's thread."""

    def __init__(self):
        self.pool = self
        self.limit = 1
        self.soon = []

    def apply_async(self, work, *, callback, accept_callback):
        accept_callback(1, time.monotonic())
        callback(work())

    def call_soon_ack(self, call, *given):
        self.soon.append((call.__name__, *given))


class Task:
    name, queue = "trailcourier.forward", "tests"

    class backend:  # noqa: N801 - as Celery calls it
        def __init__(self):
            self.counted = []

        def count_parts(self, parts):
            self.counted.append([(request.id, value) for request, value in parts])


@pytest.fixture
def work(monkeypatch):
    """A function that works on requests as a group, and returns what was said of each."""

    def work(together, *names):
        said, task, consumer = [], Task(), Consumer()
        task.backend = Task.backend()
        monkeypatch.setitem(groups.together, "tests", together)
        of = groups.Strategy.__new__(groups.Strategy)
        of.task, of.consumer = task, consumer
        groups.Group(of, [Request(name, said) for name in names])
        return said, task.backend.counted, consumer.soon

    return work


def test_each_request_has_its_own_value_and_all_are_acknowledged_in_one_turn(work):
    def together(requests):
        yield [(request, f"{request.id}!") for request in requests]

    said, counted, soon = work(together, "a", "b")

    assert said == [("began", "a"), ("began", "b"), ("'a!'", "a"), ("'b!'", "b")]
    assert counted == [[("a", "a!"), ("b", "b!")]]
    assert [(name, [each.id for each in given[0]] if given else []) for name, *given in soon] == [
        ("_acknowledge", ["a", "b"]),
        ("_none", []),
    ]
    assert groups.jobs == set()


def test_a_duplicate_counts_for_no_chord_and_is_acknowledged(work):
    said, counted, soon = work(lambda requests: iter([[(requests[0], None)]]), "a")

    assert (said, counted) == ([("began", "a")], [[]])
    assert soon[0][0] == "_acknowledge"


def test_a_bug_in_the_middle_fails_what_has_not_ended_and_nothing_else(work):
    def together(requests):
        yield [(requests[0], "delivered")]
        raise LookupError("nobody foresaw it")

    said, _, _ = work(together, "a", "b")

    assert said[2:] == [("'delivered'", "a"), ("LookupError", "b")]


@pytest.mark.parametrize("listens", [False, True])
def test_where_something_listens_to_celerys_signals_each_task_is_run_by_celery(
    monkeypatch, listens
):
    of = groups.Strategy.__new__(groups.Strategy)
    of.task, of.consumer = Task(), Consumer()
    of._waiting, stock, grouped = ["a", "b"], [], []
    of.consumer.on_task_request = stock.append
    monkeypatch.setattr(groups, "Group", lambda _, requests: grouped.append(requests))
    monkeypatch.setattr(groups.pace, "_seconds", 0.001)

    def listener(**_):
        """Do nothing."""

    if listens:
        signals.task_prerun.connect(listener)
    try:
        of.flush()
    finally:
        signals.task_prerun.disconnect(listener)

    assert (stock, grouped) == ((["a", "b"], []) if listens else ([], [["a", "b"]]))


@pytest.fixture
def collecting(fleet):
    with SqsStub() as sqs, S3Stub() as s3:
        fleet.collect(sqs, s3)
        yield fleet, sqs, s3
        fleet.close()


def test_a_fleet_delivers_what_waits_in_groups(collecting, shared_broker):
    """Every object is a part of its chord, and nothing of it is left in the broker."""
    fleet, sqs, s3 = collecting
    for at in range(40):
        s3.put("acme-logs", KEY.format(at), gzip.compress(b'{"Records":[{"eventID":"%d"}]}' % at))
    keys = [KEY.format(at) for at in range(40)]
    sqs.send("trail", json.dumps({"s3Bucket": "acme-logs", "s3ObjectKey": keys}))
    fleet.worker("-Q", "objects", "-c", "2")
    fleet.worker("-Q", "control")
    fleet.celery("-A", "beat", "beat")

    until(lambda: not sqs.messages("trail"))

    with broker.connect(shared_broker.url) as client:
        until(lambda: not client.exists("trailcourier:1:celery:unacked"))
        until(lambda: not client.keys("trailcourier:1:celery:celery-task-meta-*.j"))
    assert len(list(fleet.folder.glob("events/**/*.ndjson*"))) == 40
