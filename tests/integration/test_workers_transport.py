"""Each repair of the transport, beside what kombu does without it."""

import json
import uuid
from contextlib import closing

import pytest
import redis
from kombu import Connection
from kombu.transport import redis as stock

from tasks import transport as ours
from trailcourier.ledger import broker

OPTIONS = {"global_keyprefix": "fleet:", "priority_steps": [0]}


def connection(running, kind=ours.Transport):
    return Connection(running.url, transport=kind, transport_options=OPTIONS)


@pytest.fixture
def channel(shared_broker):
    with broker.connect(shared_broker.url) as client:
        client.flushall()
    with connection(shared_broker) as connected:
        yield connected.default_channel


@pytest.fixture
def forward(channel):
    """A function that publishes a message to the queue `objects`."""
    producer = channel.connection.client.Producer()
    return lambda: producer.publish({}, routing_key="objects")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        pytest.param(stock.Transport, AttributeError, id="kombu: ends the worker"),
        pytest.param(ours.Transport, redis.ConnectionError, id="ours: is logged"),
    ],
)
def test_an_acknowledgement_after_its_connection_is_gone(shared_broker, kind, error):
    connected = connection(shared_broker, kind)
    channel = connected.default_channel
    connected.close()

    with pytest.raises(error) as caught:
        channel.basic_ack("tag")

    assert isinstance(caught.value, kind.connection_errors) == (kind is ours.Transport)


@pytest.mark.parametrize(
    ("kind", "clients"),
    [
        pytest.param(stock, 20, id="kombu: one for each message"),
        pytest.param(ours, 1, id="ours: one for all"),
    ],
)
def test_how_many_clients_twenty_messages_take(shared_broker, kind, clients):
    made = []

    class Counted(kind.Channel):
        def _create_client(self, asynchronous=False):
            client = super()._create_client(asynchronous=asynchronous)
            if not asynchronous:
                made.append(client)
            return client

    class Transport(kind.Transport):
        Channel = Counted

    with connection(shared_broker, Transport) as connected:
        producer = connected.Producer()
        for _ in range(20):
            producer.publish({}, routing_key=f"counted-{clients}")

    assert len(made) == clients


def test_a_channel_whose_connections_were_dropped_takes_a_new_client(channel, forward):
    forward()

    channel._disconnect_pools()
    forward()

    assert channel._size("objects") == 2
    with channel.conn_or_acquire() as client:
        assert client.connection_pool is channel.pool  # or nobody would ever close its connections


def test_nothing_waits_in_an_empty_broker(channel):
    assert not ours.has_message(channel, "objects")


def test_a_forward_in_its_queue_waits(channel, forward):
    forward()

    assert ours.has_message(channel, "objects")
    assert not ours.has_message(channel, "control")


def test_a_forward_that_a_worker_holds_unacknowledged_waits(channel, forward):
    forward()

    with closing(channel.connection.client.SimpleQueue("objects")) as queue:
        message = queue.get(timeout=5)
        held = ours.has_message(channel, "objects")
        message.ack()

    assert held
    assert not ours.has_message(channel, "objects")


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(b"\xff\x00", id="no text"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"3", id="a number"),
        pytest.param(b"[1, 2]", id="too short"),
        pytest.param(json.dumps([{}, "", "control"]).encode(), id="of the other queue"),
    ],
)
def test_what_is_held_and_no_forward_does_not_wait(channel, entry):
    with channel.conn_or_acquire() as client:
        client.hset("unacked", str(uuid.uuid4()), entry)

    assert not ours.has_message(channel, "objects")
