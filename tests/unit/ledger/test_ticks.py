import json

import pytest

from trailcourier.ledger import Ledger
from trailcourier.ledger.ticks import WAITING, Ticks
from trailcourier.models import Numbers

QUEUE = "trailcourier:1:celery:control"
HOUR = 3600.0


@pytest.fixture
def ticks(ledger):
    return Ticks(ledger.store)


@pytest.fixture
def send(ticks):
    """Return a function that sends a tick with its own id, and returns whether it was sent."""
    number = 0

    def send(tick="poll:0", *, to=ticks):
        nonlocal number
        number += 1
        return to.send(QUEUE, tick, f'{{"id": {number}, "made": ', "}")

    return send


def waiting(client):
    """Return the ids of the ticks that wait, the next to be taken first."""
    return [json.loads(each)["id"] for each in reversed(client.lrange(QUEUE, 0, -1))]


def test_at_most_two_ticks_of_a_kind_wait(client, send):
    assert [send() for _ in range(5)] == [True, True, False, False, False]
    assert waiting(client) == [1, 2]


def test_each_kind_and_each_source_has_room_of_its_own(client, ledger, send):
    other = Ticks(Ledger(ledger.store.client, "dev", Numbers()).store)

    sent = [
        send(kind, to=to) for kind in ("poll:0", "poll:1", "maintenance") for to in (other,) * 3
    ]
    sent += [send("maintenance") for _ in range(3)]

    assert sent == [True, True, False] * 4
    assert len(waiting(client)) == 8


def test_a_tick_that_was_taken_makes_room(client, send):
    send()
    send()
    client.rpop(QUEUE)

    assert [send(), send()] == [True, False]
    assert waiting(client) == [2, 4 - 1]


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lambda client: client.delete(QUEUE), id="the queue was purged"),
        pytest.param(lambda client: client.flushall(), id="FLUSHALL"),
        pytest.param(lambda client: client.rpop(QUEUE, 2), id="taken by a worker that died"),
    ],
)
def test_a_lost_tick_makes_room(client, send, lose):
    send()
    send()

    lose(client)

    assert [send(), send(), send()] == [True, True, False]
    assert len(waiting(client)) == WAITING


def test_messages_of_others_take_no_room(client, send):
    client.lpush(QUEUE, *(f"settle {number}" for number in range(20)))

    assert [send(), send(), send()] == [True, True, False]


def test_a_tick_sent_again_after_a_lost_reply_is_there_once(client, ticks):
    sent = [ticks.send(QUEUE, "maintenance", '{"id": 7, "made": ', "}") for _ in range(3)]

    assert sent == [True, True, True]
    assert waiting(client) == [7]


def test_a_full_broker_takes_a_tick(client, send):
    client.config_set("maxmemory", 1)
    try:
        assert [send(), send(), send()] == [True, True, False]
    finally:
        client.config_set("maxmemory", 0)


@pytest.mark.parametrize("step", [0.0, 9.0, 11.0, HOUR, 13 * HOUR, -25.0, -HOUR])
def test_its_age_is_by_the_clock_of_the_broker_which_may_be_set(
    client, ticks, send, pass_time, step
):
    send()
    made = json.loads(client.lindex(QUEUE, 0))["made"]

    pass_time(step)

    assert ticks.age(made) == pytest.approx(step, abs=1)
