"""The SQS stub of the bench, called as the line calls it."""

import contextlib
import threading
import time

import pytest

from bench.log_files import BUCKET
from bench.processes import serve_module
from bench.queues import Announcements, measure_stub_rate
from tests.support.aws_answers import session
from trailcourier import notifications
from trailcourier.aws import regions, sqs
from trailcourier.aws.network import Network


@pytest.fixture(scope="module")
def url():
    with serve_module("bench.sqs") as (address, _):
        yield address


@pytest.fixture
def announced(url, request):
    with contextlib.closing(Announcements(url, request.node.name)) as made:
        yield made


@pytest.fixture
def queue(announced):
    address = regions.parse_queue_url(announced.url, "eu-west-1")
    return sqs.Queue(session(), address, network=Network())


def receive(queue, *, most=10, wait=0):
    return queue.receive(most=most, wait=wait, visibility=600)


def test_each_message_is_delivered_once_and_gone_when_it_is_deleted(queue, announced):
    announced.put(20, 12)

    first, second = receive(queue), receive(queue)
    changed = queue.delete([(each.id, each.receipt) for each in first])

    assert [len(first), len(second), len(receive(queue))] == [10, 2, 0]
    assert len({each.id for each in first + second}) == 12
    assert changed.done == tuple(each.id for each in first)
    assert announced.counts() == {"deleted": 10, "waiting": 0, "held": 2}


def test_a_message_announces_files_that_no_other_one_does(queue, announced):
    announced.put(20, 2, objects=3)
    announced.put(20, 1)
    announced.put(200, 1)

    refs = [
        ref
        for each in receive(queue)
        for ref in notifications.decode(each.body, max_objects=10).objects
    ]

    assert {ref.bucket for ref in refs} == {BUCKET}
    assert len({ref.key for ref in refs}) == 8
    assert [ref.key[-24:-20] for ref in refs] == ["0020"] * 7 + ["0200"]


def test_a_released_message_is_redelivered_with_another_handle(queue, announced):
    announced.put(20, 1)
    (message,) = receive(queue)

    queue.change_visibility([(message.id, message.receipt, 600)])
    held = receive(queue)
    queue.change_visibility([(message.id, message.receipt, 0)])
    (again,) = receive(queue)
    queue.delete([(message.id, message.receipt)])

    assert held == []
    assert (again.id, again.receipt == message.receipt) == (message.id, False)
    assert announced.counts()["deleted"] == 0


def test_a_long_poll_ends_when_a_message_comes(queue, announced):
    came = []
    waiting = threading.Thread(target=lambda: came.extend(receive(queue, wait=10)))

    waiting.start()
    time.sleep(0.2)  # most likely it waits by now; if not, what follows holds as well
    announced.put(20, 1)
    waiting.join(5)

    assert len(came) == 1
    assert abs(came[0].sent / 1000 - time.time()) < 5


def test_receives_return_as_few_messages_as_is_set(queue, announced):
    announced.put(20, 10)

    announced.set_receive_sizes(1, 2, 3)

    assert [len(receive(queue)) for _ in range(4)] == [1, 2, 3, 1]


def test_messages_are_announced_at_a_pace(queue, announced):
    announced.pace(20, rate=100, seconds=0.3)

    deadline, came = time.monotonic() + 10, []
    while len(came) < 30 and time.monotonic() < deadline:
        came += receive(queue, wait=1)

    sent = announced.sent()
    assert len(came) == len(sent) == 30
    assert max(sent.values()) - min(sent.values()) == pytest.approx(0.3, abs=0.2)


def test_no_receive_waits_on_a_queue_that_is_closed(queue, announced):
    announced.put(20, 1)
    announced.close()

    began = time.monotonic()
    found = [len(receive(queue, wait=10)) for _ in range(2)]

    assert found == [1, 0]
    assert time.monotonic() - began < 5


def test_the_stubs_own_rate_is_measured(url):
    assert measure_stub_rate(url, 1000) > 100
