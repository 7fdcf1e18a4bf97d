import contextlib
import threading

import prometheus_client
import pytest

from tests.support.aws_answers import together
from trailcourier.observability import metrics

THREADS = 8


@pytest.fixture
def name(monkeypatch, request):
    """A counter that was not created yet."""
    name = f"trial_{abs(hash(request.node.name))}_total"
    monkeypatch.setitem(metrics.METRICS, name, metrics.Metric("counter", "A trial."))
    yield name
    registry = prometheus_client.REGISTRY
    registry.unregister(metrics._instruments.peek(name))


def test_threads_that_create_a_counter_at_once_share_it(name, monkeypatch):
    make, meeting = prometheus_client.Counter, threading.Barrier(THREADS)

    def slowly(*arguments):
        """Let every thread arrive here before any goes on."""
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(0.3)
        return make(*arguments)

    monkeypatch.setattr(prometheus_client, "Counter", slowly)

    counters = together(THREADS, lambda _: metrics.count(name, source="prod"))

    assert counters == [None] * THREADS
    assert metrics._bound(name, (("source", "prod"),))._value.get() == THREADS


def test_an_instrument_is_created_once_for_each_source(name):
    for source in ("prod", "dev", "prod"):
        metrics.count(name, source=source)

    held = {source: metrics._bound(name, (("source", source),)) for source in ("prod", "dev")}
    assert {source: each._value.get() for source, each in held.items()} == {"prod": 2, "dev": 1}
