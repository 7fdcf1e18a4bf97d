import threading

import pytest

from trailcourier.observability.health import AWAY, STUCK, UNHEARD, ProcessHealth


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stopping():
    return threading.Event()


@pytest.fixture
def life(stopping, clock):
    return ProcessHealth(stopping, clock)


def test_a_process_without_its_broker_yet_is_live_and_not_ready(life, clock):
    clock.now += 10 * STUCK

    assert life.trouble() == ""
    assert life.unready() == "not connected to the broker"


def test_a_process_that_takes_work_is_ready(life):
    life.connected()
    life.broker_answered()

    assert life.unready() == ""


def test_a_stuck_consumer_needs_a_restart(life, clock):
    life.connected()
    clock.now += STUCK + 1
    life.broker_answered()

    assert life.trouble() == "the consumer has been stuck for 61 s"
    assert life.unready() == life.trouble()


def test_a_consumer_whose_loop_turns_needs_none(life, clock):
    life.connected()
    for _ in range(5):
        clock.now += STUCK - 1
        life.turned()

    assert life.trouble() == ""


def test_a_process_that_lost_its_broker_stays_live(life, clock):
    life.connected()
    life.disconnected()
    clock.now += 3600

    assert life.trouble() == ""
    assert life.unready() == "not connected to the broker"


def test_after_a_reconnect_there_is_time_for_the_first_turn(life, clock):
    life.connected()
    life.disconnected()
    clock.now += 3600
    life.connected()

    assert life.trouble() == ""


def test_a_silent_broker_makes_it_unready_and_is_no_reason_for_a_restart(life, clock):
    life.connected()
    life.broker_answered()
    clock.now += UNHEARD + 1
    life.turned()

    assert life.unready() == "the broker has not answered for 46 s"
    assert life.trouble() == ""


def test_a_stopping_process_is_not_ready(life, stopping):
    life.connected()
    stopping.set()

    assert life.unready() == "stopping"


@pytest.mark.parametrize("consumes", [False, True])
def test_a_broker_silent_for_a_minute_fails_the_health_check(life, clock, consumes):
    if consumes:
        life.connected()
    clock.now += AWAY
    for_a_moment = life.away()
    clock.now += 1

    assert for_a_moment == ""
    assert life.away() == "the broker has not answered for 61 s"
    life.broker_answered()
    assert life.away() == ""
