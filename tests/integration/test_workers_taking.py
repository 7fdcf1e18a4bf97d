"""How tasks come from their queues to a worker, on a real broker and in kombu's own loop."""

import hashlib
import json
import time

import pytest
import redis
from kombu import Connection, Consumer, Exchange, Queue
from kombu.asynchronous import Hub
from kombu.transport import redis as stock

from tasks import transport as ours
from tasks.finishing import PUSH
from tasks.qos import NOTE
from tests.support.fleet import until
from trailcourier.ledger import broker

PREFIX = "fleet:"
OPTIONS = {"global_keyprefix": PREFIX, "priority_steps": [0], "visibility_timeout": 30}


def named(queue):
    """A queue as the fleet declares them."""
    return Queue(queue, Exchange(queue), queue)


@pytest.fixture
def client(shared_broker):
    with broker.connect(shared_broker.url) as connected:
        connected.flushall()
        connected.script_load(ours.TAKE)  # so that it is sent by its name alone
        yield connected


@pytest.fixture
def publish(shared_broker, client):
    """A function that publishes so many numbered messages to a queue."""
    with Connection(shared_broker.url, transport=ours.Transport, transport_options=OPTIONS) as to:
        producer = to.Producer()

        def publish(many, queue="objects", **headers):
            to = {"routing_key": queue, "exchange": queue, "declare": [named(queue)]}
            for number in range(many):
                producer.publish(number, headers=headers, **to)

        yield publish


class Worker:
    """As a Celery worker consumes: a loop, a channel, and room for so many tasks."""

    def __init__(self, url, room, *queues, kind=ours.Transport):
        self.connection = Connection(url, transport=kind, transport_options=OPTIONS)
        self.channel = self.connection.default_channel
        self.got = []
        self.hub = Hub()
        self.connection.register_with_event_loop(self.hub)
        self.consumer = Consumer(self.channel, list(map(named, queues)))
        self.consumer.on_message = self.got.append
        self.channel.basic_qos(0, room, False)
        self.consumer.consume()
        self.loop = self.hub.create_loop()

    @property
    def numbers(self):
        return [message.decode() for message in self.got]

    def turn(self):
        """One turn of the loop, which ends at the next event, or without one after a second."""
        next(self.loop)

    def at_once(self):
        """One turn that waits for next to nothing."""
        self.hub.call_later(0.02, lambda: None)  # 0 would be a second to kombu
        self.turn()

    def until(self, many, turns=20):
        for _ in range(turns):
            if len(self.got) >= many:
                return
            self.turn()
        raise AssertionError(f"{self.numbers} are all that came")

    def close(self):
        self.connection.close()
        self.hub.close()


@pytest.fixture
def worker(shared_broker, client):
    """A function that starts a worker."""
    started = []

    def worker(room, *queues, kind=ours.Transport):
        started.append(Worker(shared_broker.url, room, *(queues or ("objects",)), kind=kind))
        return started[-1]

    yield worker
    for each in started:
        each.close()


def noted(client):
    """The numbers of the messages that somebody holds, and those of the index by time."""
    held = client.hgetall(f"{PREFIX}unacked")
    index = client.zrange(f"{PREFIX}unacked_index", 0, -1)
    assert set(held) == set(index)
    return sorted(number(json.loads(entry)[0]) for entry in held.values())


def number(raw):
    return int(stock.Channel.codecs["base64"].decode(raw["body"]))


def errands(client):
    """How often anything that a worker sends for its tasks was called."""
    stats = client.info("commandstats")
    names = ("brpop", "evalsha", "eval", "multi", "rpop")
    return {name: stats[f"cmdstat_{name}"]["calls"] for name in names if f"cmdstat_{name}" in stats}


def test_a_turn_takes_what_there_is_room_for_in_one_errand(client, publish, worker):
    publish(5)
    taking = worker(3)
    client.config_resetstat()

    taking.at_once()

    assert taking.numbers == [0, 1, 2]
    assert noted(client) == [0, 1, 2]
    assert client.llen(f"{PREFIX}objects") == 2
    assert errands(client) == {"evalsha": 1, "rpop": 3}


def test_what_is_done_is_acknowledged_by_the_errand_that_takes_more(client, publish, worker):
    publish(5)
    taking = worker(3)
    taking.at_once()
    client.config_resetstat()

    for message in taking.got[:2]:
        message.ack()
    assert errands(client) == {}
    taking.at_once()

    assert taking.numbers == [0, 1, 2, 3, 4]
    assert noted(client) == [2, 3, 4]
    assert errands(client) == {"evalsha": 1, "rpop": 2}


def test_what_is_done_is_acknowledged_while_nothing_waits(client, publish, worker):
    publish(2)
    taking = worker(3)
    taking.at_once()
    until(lambda: client.info("clients")["blocked_clients"])
    client.config_resetstat()

    for message in taking.got:
        message.ack()
    taking.at_once()

    assert noted(client) == []
    assert not {"evalsha", "multi"} & errands(client).keys()  # a full broker refuses MULTI
    assert client.info("commandstats")["cmdstat_hdel"]["calls"] == 1


def test_a_worker_that_found_nothing_is_woken(client, publish, worker):
    waiting = worker(3)
    waiting.at_once()

    publish(1)
    waiting.until(1)

    assert waiting.numbers == noted(client) == [0]


def test_what_is_refused_at_its_delivery_makes_room_at_once(client, publish, worker):
    publish(150)
    refusing = worker(7)
    refusing.consumer.on_message = lambda message: refusing.hub.call_soon(
        lambda: (refusing.got.append(message), message.ack())
    )
    began = time.monotonic()

    refusing.until(150, turns=100)

    assert time.monotonic() - began < 10  # a turn that nothing ends lasts a second
    assert noted(client) == []


def test_queues_have_turns(client, publish, worker):
    publish(4, "objects")
    publish(4, "control")

    taking = worker(5, "objects", "control")
    taking.at_once()
    at_first = taking.numbers
    for message in taking.got:
        message.ack()
    taking.at_once()

    assert sorted(at_first) == [0, 0, 1, 1, 2]
    assert sorted(taking.numbers) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_full_worker_takes_nothing(client, publish, worker):
    publish(2)
    taking = worker(1)
    taking.at_once()
    client.config_resetstat()

    taking.at_once()

    assert taking.numbers == [0]
    assert errands(client) == {}


def test_a_worker_that_consumes_no_more_acknowledges_at_once(client, publish, worker):
    publish(2)
    taking = worker(2)
    taking.at_once()
    first, second = taking.got

    first.ack()
    taking.consumer.cancel()
    left_to_the_cancel = noted(client)
    second.ack()

    assert left_to_the_cancel == [1]
    assert noted(client) == []


def test_acknowledgements_outlive_an_errand_that_failed(client, publish, worker, monkeypatch):
    publish(2)
    taking = worker(1)
    taking.at_once()
    taking.got[0].ack()

    def fails(*_args):
        raise redis.ConnectionError("cut")

    fails.registered_client = taking.channel._take.registered_client
    with monkeypatch.context() as broken:
        broken.setattr(taking.channel, "_take", fails)
        with pytest.raises(redis.ConnectionError):
            taking.at_once()
    taking.loop = taking.hub.create_loop()
    taking.at_once()

    assert taking.numbers == [0, 1]
    assert noted(client) == [1]


def sha(text):
    return hashlib.sha1(text.encode()).hexdigest().encode()


def test_tasks_are_taken_once_where_the_reply_that_brings_them_is_lost(client, publish, losing):
    """A second call would take others, and nobody would work on the first."""
    relay, url = losing
    publish(3)
    taking = Worker(url, 2, "objects")
    client.config_resetstat()
    relay.loses = sha(ours.TAKE)

    with pytest.raises(taking.connection.connection_errors):
        taking.at_once()

    assert errands(client)["evalsha"] == 1
    assert taking.got == []
    assert noted(client) == [0, 1]  # so they are given back once nobody acknowledges them in time
    assert client.llen(f"{PREFIX}objects") == 1
    taking.close()


def test_a_message_of_which_the_note_is_sent_twice_is_noted_once(client, publish, losing):
    relay, url = losing
    taking = Worker(url, 2, "objects")
    taking.at_once()
    client.script_load(NOTE)
    relay.loses = sha(NOTE)
    publish(1)

    with pytest.raises(taking.connection.connection_errors):
        taking.until(1)

    assert noted(client) == [0]
    taking.close()


def test_a_message_whose_publishing_was_not_confirmed_is_there_once_or_twice(client, losing):
    """Whoever publishes may try again: it is the same task, and the ledger lets one work."""
    relay, url = losing
    options = OPTIONS | {"finishing": ["control"]}
    with Connection(url, transport=ours.Transport, transport_options=options) as to:
        producer = to.Producer()
        client.script_load(PUSH)
        relay.loses = sha(PUSH)
        at = {"routing_key": "control", "exchange": "control", "declare": [named("control")]}

        producer.publish(7, retry=True, **at)

    raws = client.lrange(f"{PREFIX}control", 0, -1)
    assert [number(json.loads(raw)) for raw in raws] == [7, 7]


def test_what_the_brokers_clock_gives_back_too_early_is_acknowledged_by_both(
    client, publish, worker
):
    """Set forward by an hour, what a worker holds looks forgotten: another gets a copy."""
    publish(1)
    holds = worker(1)
    holds.until(1)
    (tag,) = client.zrange(f"{PREFIX}unacked_index", 0, -1)
    client.zincrby(f"{PREFIX}unacked_index", -3600, tag)

    other = worker(1)
    other.channel.qos.restore_visible(interval=1)
    other.until(1)
    for each in (holds, other):
        each.got[0].ack()
        each.at_once()

    assert other.got[0].headers["redelivered"] is True
    assert noted(client) == []
    assert client.llen(f"{PREFIX}objects") == 0


def test_what_was_taken_before_the_brokers_clock_was_set_back_is_held_and_given_back_at_the_end(
    client, publish, worker
):
    publish(1)
    holds = worker(1)
    holds.until(1)
    (tag,) = client.zrange(f"{PREFIX}unacked_index", 0, -1)
    client.zincrby(f"{PREFIX}unacked_index", 13 * 3600, tag)

    worker(1, "control").channel.qos.restore_visible(interval=1)
    held = noted(client)
    holds.channel.close()

    assert held == [0]
    assert noted(client) == []
    assert client.llen(f"{PREFIX}objects") == 1


@pytest.mark.parametrize("kind", [stock.Transport, ours.Transport], ids=["kombu", "ours"])
def test_the_note_is_one_that_kombu_can_restore(client, publish, worker, kind):
    publish(1)
    dies = worker(1, kind=kind)
    dies.until(1)
    (tag,) = client.hkeys(f"{PREFIX}unacked")

    other = worker(1, "control", kind=stock.Transport)
    other.channel.qos.restore_by_tag(tag.decode())

    (raw,) = client.lrange(f"{PREFIX}objects", 0, -1)
    assert number(json.loads(raw)) == 0
    assert json.loads(raw)["headers"]["redelivered"] is True
    assert noted(client) == []


@pytest.mark.parametrize("hours", [-1, 1])
def test_what_a_worker_holds_is_not_given_back_by_the_clock_of_another_host(
    client, publish, worker, monkeypatch, hours
):
    holds = worker(2)
    publish(1)
    holds.until(1)  # by BRPOP
    publish(1)
    holds.until(2)  # BRPOP has found one, so the next is looked for
    for module in (stock, ours):
        monkeypatch.setattr(module, "time", lambda: time.time() + hours * 3600, raising=False)
    other = worker(2, "control")
    publish(1, "control")
    other.until(1)

    other.channel.qos.restore_visible(interval=1)
    monkeypatch.undo()
    holds.channel.qos.restore_visible(interval=1)

    assert len(noted(client)) == 3
    assert client.llen(f"{PREFIX}objects") + client.llen(f"{PREFIX}control") == 0


def test_what_nobody_acknowledges_in_time_is_given_back(client, publish, worker):
    publish(1)
    worker(1).until(1)
    (tag,) = client.zrange(f"{PREFIX}unacked_index", 0, -1)
    client.zincrby(f"{PREFIX}unacked_index", -OPTIONS["visibility_timeout"] - 1, tag)

    worker(1, "control").channel.qos.restore_visible(interval=1)

    assert noted(client) == []
    assert client.llen(f"{PREFIX}objects") == 1


def test_a_note_that_is_none_is_set_aside_and_hides_no_other(client, publish, worker):
    publish(1)
    worker(1).until(1)
    (tag,) = client.zrange(f"{PREFIX}unacked_index", 0, -1)
    client.zadd(f"{PREFIX}unacked_index", {tag: 1, "later": 2, "nowhere": 3})
    client.hset(f"{PREFIX}unacked", "later", b"\xff{")

    worker(1, "control").channel.qos.restore_visible(interval=1)

    assert noted(client) == []
    assert client.llen(f"{PREFIX}objects") == 1
    assert client.lrange(f"{PREFIX}aside", 0, -1) == [b"\xff{"]


def test_ticks_are_not_noted_so_that_none_comes_back_when_its_worker_is_gone(
    client, publish, worker
):
    publish(1, made=1)
    taking = worker(5)
    taking.at_once()
    publish(1, made=2)  # it is asked for by BRPOP
    taking.until(2)
    held = noted(client)

    taking.close()

    assert taking.numbers == [0, 0]
    assert held == []
    assert client.llen(f"{PREFIX}objects") == 0


def test_a_full_broker_hands_out_what_it_has(client, publish, worker):
    publish(2)
    taking = worker(2)
    client.config_set("maxmemory", 1)
    try:
        taking.at_once()
    finally:
        client.config_set("maxmemory", 0)

    assert taking.numbers == noted(client) == [0, 1]


def test_what_is_no_message_does_not_take_others_along(client, publish, worker):
    publish(1)
    client.lpush(f"{PREFIX}objects", "garbage")
    publish(1)

    taking = worker(3)
    taking.at_once()

    assert taking.numbers == [0, 0]
    assert noted(client) == [0, 0]
    assert client.lrange(f"{PREFIX}aside", 0, -1) == [b"garbage"]


def test_who_asks_for_one_message_gets_one(shared_broker, client, publish):
    publish(2)
    got = []

    with Connection(shared_broker.url, transport=ours.Transport, transport_options=OPTIONS) as asks:
        consumer = Consumer(asks.default_channel, [named("objects")], on_message=got.append)
        consumer.qos(prefetch_count=2)
        with consumer:
            asks.drain_events(timeout=5)
            got[0].ack()

    assert len(got) == 1
    assert noted(client) == []
    assert client.llen(f"{PREFIX}objects") == 1


def test_a_queue_that_is_limited_is_taken_from_one_by_one_and_others_as_ever(worker, publish):
    allowed = iter([0, 1])
    ours.take_limits["objects"] = lambda room: next(allowed, 0)
    try:
        both = worker(8, "objects", "control")
        publish(3)
        publish(2, "control")
        both.until(3)
        both.turn()
        assert sorted(both.numbers) == [0, 0, 1]  # one object, and both of the others
    finally:
        ours.take_limits.clear()
    both.until(5)
