"""Processes are killed, frozen and lost while objects are in hand; everything still arrives."""

import signal

import pytest

from tests.reliability.conftest import FLEET
from trailcourier.host import child_process


def in_hand(world, count=3):
    """Announce files and wait until all of them are being read, at once; what lets them go on."""
    names = [world.put(f"held{at}") for at in range(count)]
    release = world.hold(*names)
    for name in names:
        world.announce(name)
    world.in_hand(*names)
    return release


def test_an_object_worker_is_killed_with_objects_in_hand(make):
    world = make()
    world.start(*FLEET)
    in_hand(world)

    world.kill("objects-1")
    world.start("objects-1")
    world.settled()

    world.check(counted=True)
    assert world.repeated() == set()  # none of them had been sent
    assert set(world.receives().values()) == {1}


@pytest.mark.slow
def test_another_object_worker_takes_over_at_once(make):
    world = make()
    world.start(*FLEET, "objects-2")
    release = in_hand(world, 6)

    world.kill("objects-1")
    release()
    world.settled()

    world.check(counted=True)
    assert set(world.receives().values()) == {1}


@pytest.mark.slow
def test_a_control_worker_is_killed_between_receive_and_delete(make):
    world = make()
    world.start(*FLEET)
    release = in_hand(world)

    world.kill("control")
    release()
    world.until(lambda: not world.missing(), "objects go on without it")
    world.start("control")
    world.settled()

    world.check(counted=True)
    assert set(world.receives().values()) == {1}
    assert world.repeated() == set()


@pytest.mark.slow
def test_beat_is_killed(make):
    world = make()
    world.start(*FLEET)
    release = in_hand(world)

    world.kill("beat")
    release()
    world.until(lambda: not world.polls(), "the poll under way ends")
    late = world.announce(world.put("late"))
    world.until(lambda: world.waiting() == [late], "what was in hand needs no clock")
    world.start("beat")
    world.settled()

    world.check(counted=True)


@pytest.mark.parametrize("persist", [True, False], ids=["with its data", "without its data"])
def test_the_broker_is_killed_with_objects_in_hand(make, persist):
    world = make(persist=persist)
    world.start(*FLEET)
    release = in_hand(world)

    child_process.kill(world.server.process)
    release()
    world.server.start()
    world.until(lambda: not world.ended("control") and not world.ended("objects-1"))
    world.settled(again=not persist, seconds=90)

    world.check(counted=persist)
    assert len(world.repeated()) <= 3
    assert not any(world.ended(name) for name in FLEET)
    assert '"bug"' not in world.processes["objects-1"].output


@pytest.mark.slow
def test_the_broker_loses_all_its_data_and_goes_on(make):
    world = make()
    world.start(*FLEET)
    release = in_hand(world)

    world.client.flushall()
    release()
    world.settled(again=True, seconds=90)

    world.check()
    assert len(world.repeated()) <= 3


def test_a_worker_that_freezes_past_its_claim_is_overtaken_and_writes_no_more(make):
    world = make()
    world.start("control", "beat", "objects-1")
    release = in_hand(world, 1)

    world.signal("objects-1", signal.SIGSTOP)
    world.start("objects-2")
    world.settled()
    release()
    world.signal("objects-1", signal.SIGCONT)
    world.processes["objects-1"].until("object_overtaken", seconds=60)

    world.check(counted=True)
    assert world.repeated() == set()
    assert world.ledger.sums.read()["objects:delivered"] == 1
