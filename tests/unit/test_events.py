"""How often a worker sends its events; what Flower makes of them is tested on a real one."""

from types import SimpleNamespace

import pytest

from tasks import events


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
    events.stopping.clear()


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
    events.stopping.set()

    has_an_event(consumer)

    assert (consumer.sent, consumer.hub.soon) == (1, [])
