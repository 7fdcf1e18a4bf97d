import threading

import pytest

from trailcourier.life import AWAY, STUCK, UNHEARD, Life


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
    return Life(stopping, clock)


def test_a_process_that_has_no_broker_yet_is_well_and_not_ready(life, clock):
    clock.now += 10 * STUCK

    assert life.trouble() == ""
    assert life.unready() == "not connected to the broker"


def test_a_process_that_takes_work_is_ready(life):
    life.connected()
    life.heard()

    assert life.unready() == ""


def test_a_consumer_that_stands_still_is_trouble(life, clock):
    life.connected()
    clock.now += STUCK + 1
    life.heard()

    assert life.trouble() == "the consumer has stood still for 61 s"
    assert life.unready() == life.trouble()


def test_a_consumer_that_turns_is_not(life, clock):
    life.connected()
    for _ in range(5):
        clock.now += STUCK - 1
        life.turned()

    assert life.trouble() == ""


def test_who_lost_its_broker_is_well_however_long_that_takes(life, clock):
    life.connected()
    life.disconnected()
    clock.now += 3600

    assert life.trouble() == ""
    assert life.unready() == "not connected to the broker"


def test_who_has_its_broker_again_has_time_for_its_first_turn(life, clock):
    life.connected()
    life.disconnected()
    clock.now += 3600
    life.connected()

    assert life.trouble() == ""


def test_a_broker_that_says_nothing_makes_it_unready_and_is_no_reason_to_restart_it(life, clock):
    life.connected()
    life.heard()
    clock.now += UNHEARD + 1
    life.turned()

    assert life.unready() == "the broker has not answered for 46 s"
    assert life.trouble() == ""


def test_who_stops_is_not_ready(life, stopping):
    life.connected()
    stopping.set()

    assert life.unready() == "stopping"


@pytest.mark.parametrize("consumes", [False, True])
def test_a_broker_that_is_away_for_a_minute_keeps_it_from_its_work(life, clock, consumes):
    if consumes:
        life.connected()
    clock.now += AWAY
    for_a_moment = life.away()
    clock.now += 1

    assert for_a_moment == ""
    assert life.away() == "the broker has not answered for 61 s"
    life.heard()
    assert life.away() == ""
