"""An object that kills its process, again and again, beside good ones."""

import os
import signal
from pathlib import Path

import pytest

SITE = Path(__file__).with_name("poison_site")


@pytest.mark.slow
@pytest.mark.timeout(400)  # six workers start, one after the other
def test_one_object_that_kills_its_worker_is_refused_and_all_others_arrive(make):
    world = make()
    good = [world.put(f"good{at}") for at in range(15)]
    deadly = {"PYTHONPATH": os.pathsep.join([str(SITE), world.environment["PYTHONPATH"]])}
    world.start("control", "beat")
    world.spawn("objects-1", **deadly)

    messages = [world.announce(name) for name in good[:12]]
    poison = world.announce(world.put("poison"), *good[12:])
    deaths = 0

    def refused():
        nonlocal deaths
        if world.ended("objects-1"):
            assert world.died("objects-1") == -signal.SIGABRT
            deaths += 1
            world.spawn("objects-1", **deadly)
        return world.ledger.quarantine.count()

    world.until(refused, "it is refused", seconds=300)
    world.settled(poison)

    (entry,) = world.ledger.quarantine.entries()
    world.check()
    assert (entry.reason, entry.message) == ("kills-worker", poison)
    assert deaths == world.numbers.starts_refused
    assert not world.missing(good)
    assert {world.receives()[each] for each in messages} == {1}
    assert len(world.repeated()) <= 15
