"""How often a worker sends its events; what Flower makes of them is tested on a real one."""

from types import SimpleNamespace

import pytest
import redis
from celery.worker.consumer import Consumer

from tasks import events
from trailcourier.ledger.redis_faults import Impaired


class Hub:
    def __init__(self):
        self.soon = []

    def call_soon(self, *call):
        self.soon.append(call)

    def call_later(self):
        """Given to ``call_soon``."""


@pytest.fixture
def consumer(monkeypatch):
    """A consumer whose clock stands still; ``sent`` counts how often it sent what it had."""
    monkeypatch.setattr(events.time, "monotonic", lambda: consumer.now)
    consumer = SimpleNamespace(hub=Hub(), sent=0, now=100.0, _next=0.0)

    def flush():
        consumer.sent += 1

    consumer._flush_events = None  # of Celery's
    consumer._send_gathered = flush
    yield consumer
    events.wiring.stopping.clear()


def has_an_event(consumer):
    events.Consumer.on_send_event_buffered(consumer)


def test_events_are_sent_twice_a_second_however_many_there_are(consumer):
    for _ in range(10):
        has_an_event(consumer)

    assert consumer.hub.soon == [(consumer.hub.call_later, 0.5, consumer._flush_events)]
    assert consumer.sent == 0


def test_what_comes_later_is_sent_later_though_the_hub_has_forgotten_what_was_due(consumer):
    has_an_event(consumer)
    consumer.now += 0.5

    has_an_event(consumer)

    assert len(consumer.hub.soon) == 2


def test_an_event_of_a_worker_that_stops_is_sent_at_once(consumer):
    events.wiring.stopping.set()

    has_an_event(consumer)

    assert (consumer.sent, consumer.hub.soon) == (1, [])


@pytest.fixture
def losing(monkeypatch):
    """A consumer that loses its connection; ``pauses`` are the seconds that it waited."""
    clock = SimpleNamespace(now=100.0)
    consumer = object.__new__(events.Consumer)
    consumer.pauses = []

    def wait(seconds):
        consumer.pauses.append(seconds)
        clock.now += seconds

    monkeypatch.setattr(Consumer, "on_connection_error_after_connected", waited)
    monkeypatch.setattr(events.wiring.stopping, "wait", wait)
    monkeypatch.setattr(events.time, "monotonic", lambda: clock.now)
    consumer.clock = clock
    return consumer


def waited(_consumer, _error):
    """What Celery does about a lost connection is not looked at here."""


@pytest.mark.parametrize("error", [Impaired("OOM", "it said"), redis.ResponseError("it said")])
def test_a_broker_that_cannot_serve_is_left_alone_longer_each_time(losing, error):
    for _ in range(5):
        losing.on_connection_error_after_connected(error)

    assert losing.pauses == [1, 2, 4, 5, 5]


def test_a_connection_that_held_for_a_while_begins_anew(losing):
    for _ in range(3):
        losing.on_connection_error_after_connected(Impaired("OOM", "OOM it said"))
    losing.clock.now += 31

    losing.on_connection_error_after_connected(Impaired("OOM", "OOM it said"))

    assert losing.pauses == [1, 2, 4, 1]


def test_a_broker_that_is_gone_is_left_to_celery(losing):
    losing.on_connection_error_after_connected(redis.ConnectionError("gone"))

    assert losing.pauses == []
