"""What a channel and a chord may still do where the broker's memory is full."""

import json
import uuid
from types import SimpleNamespace

import pytest
from celery import Celery
from kombu import Connection, Exchange, Queue

from tasks import transport as ours
from tests.support import impaired
from trailcourier.ledger import broker
from trailcourier.ledger.redis_faults import Impaired

OPTIONS = {"global_keyprefix": "fleet:", "priority_steps": [0], "finishing": ["control"]}


def named(queue):
    return Queue(queue, Exchange(queue), queue)


@pytest.fixture
def client(own_broker):
    with broker.connect(own_broker.url) as connected:
        yield connected


@pytest.fixture
def connect(own_broker):
    """A function that connects as a worker does."""
    made = []

    def connect():
        made.append(Connection(own_broker.url, transport=ours.Transport, transport_options=OPTIONS))
        return made[-1]

    yield connect
    for each in made:
        each.close()


def publish(connection, queue):
    to = {"routing_key": queue, "exchange": queue, "declare": [named(queue)]}
    connection.Producer().publish({}, **to)


def test_what_is_done_is_acknowledged(own_broker, client, connect):
    connection = connect()
    publish(connection, "objects")
    with connection.SimpleQueue(named("objects")) as queue:
        message = queue.get(timeout=5)
        assert client.hlen("fleet:unacked") == 1

        with impaired.full(own_broker):
            message.ack()
            queue.consumer.channel.qos.acknowledge()

            assert client.hlen("fleet:unacked") == client.zcard("fleet:unacked_index") == 0


def test_what_was_taken_is_noted(own_broker, client, connect):
    """It is in no queue any more, so a worker that dies now would lose it."""
    connection = connect()
    publish(connection, "objects")
    with connection.SimpleQueue(named("objects")) as queue, impaired.full(own_broker):
        message = queue.get(timeout=5)

        (tag,) = client.zrange("fleet:unacked_index", 0, -1)
        held = json.loads(client.hget("fleet:unacked", tag))
        assert tag.decode() == message.delivery_tag
        assert held[1:] == ["objects", "objects"]
        assert held[0]["properties"]["delivery_tag"] == message.delivery_tag


def test_what_ends_work_is_published_and_what_begins_it_is_not(own_broker, client, connect):
    connection = connect()
    for queue in ("control", "objects"):
        named(queue)(connection.default_channel).declare()

    with impaired.full(own_broker):
        publish(connection, "control")
        with pytest.raises(Impaired, match="OOM"):
            publish(connection, "objects")

    assert client.llen("fleet:control") == 1
    assert client.llen("fleet:objects") == 0


def test_who_comes_back_finds_its_queues_bound(own_broker, client, connect):
    publish(connect(), "objects")

    with impaired.full(own_broker), connect().SimpleQueue(named("objects")) as queue:
        assert queue.get(timeout=5)


def test_a_queue_that_was_never_bound_is_not_taken_for_bound(own_broker, connect):
    connection = connect()
    with impaired.full(own_broker), pytest.raises(Impaired, match="OOM"):
        named("objects")(connection.default_channel).declare()


def test_what_dead_workers_held_is_restored_at_another_time(own_broker, connect):
    channel = connect().default_channel
    with impaired.full(own_broker):
        channel.qos.restore_visible()


def test_a_finished_forward_is_counted(own_broker, client):
    url = own_broker.url
    app = Celery("fleet", broker=url, backend=f"tasks.backend.Backend+{url}")
    app.backend.set_chord_size("g", 2)
    body = app.signature("body", app=app)
    request = SimpleNamespace(id=str(uuid.uuid4()), group="g", group_index=0, chord=body)

    with impaired.full(own_broker):
        app.backend.on_chord_part_return(request, "SUCCESS", "delivered")

    assert client.zcard(app.backend.get_key_for_group("g", ".j")) == 1
