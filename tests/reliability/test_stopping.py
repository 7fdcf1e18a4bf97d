"""What a fleet does with work in hand when it is told to stop."""

import signal
import time

import pytest

from tests.reliability.conftest import FLEET


def test_a_file_is_left_between_two_batches_and_another_worker_sends_only_the_rest(make):
    world = make()
    world.start(*FLEET)
    world.receiver.slow(0.2)
    world.announce(world.put("long", 60))
    world.until(lambda: len(world.receiver.records()) >= 6, "it is under way")

    world.signal("objects-1", signal.SIGTERM)
    before = time.monotonic()
    status = world.died("objects-1")
    took = time.monotonic() - before
    sent = len(world.receiver.records())
    world.receiver.slow(0)
    world.start("objects-1")
    world.settled()

    assert status == 0
    assert took < 10
    assert sent < 60
    world.check(counted=True)
    assert world.repeated() == set()
    assert set(world.receives().values()) == {1}


@pytest.mark.slow
def test_a_second_sigterm_ends_a_worker_at_once(make):
    world = make()
    world.start(*FLEET)
    release = world.hold(world.put("held"))
    world.announce("held")
    world.in_hand("held")

    world.signal("objects-1", signal.SIGTERM)
    world.until(lambda: not world.ledger.workers.count_threads(), "it takes no more")
    before = time.monotonic()
    world.signal("objects-1", signal.SIGTERM)
    status = world.died("objects-1")
    took = time.monotonic() - before
    release()
    world.start("objects-1")
    world.settled()

    assert status == -signal.SIGTERM
    assert took < 3
    world.check(counted=True)


@pytest.mark.slow
def test_what_arrives_while_a_poll_is_stopping_is_handed_back(make):
    world = make(receive_wait=10, poll=20)
    world.start("control", "beat", "objects-1")
    world.until(lambda: world.sqs.long_polls, "a long poll waits")

    world.signal("control", signal.SIGTERM)
    world.processes["control"].until("Warm shutdown")
    late = world.announce(world.put("late"))
    status = world.died("control")
    (message,) = world.sqs.messages("trail")
    handed_back = message.visible_at <= world.sqs.now()
    world.start("control")
    world.settled()

    assert status == 0
    assert handed_back
    assert world.receives() == {late: 2}
    world.check(counted=True)
