"""A sink is down for hours while many objects are announced."""

import pytest

from tests.reliability.conftest import FLEET

HOUR = 3600


@pytest.mark.slow
def test_a_sink_that_is_down_for_hours_loses_nothing_and_the_poll_stops_meanwhile(make):
    world = make(visibility=7200)
    world.receiver.kill()
    messages = world.messages(40, 3)
    world.start(*FLEET)
    world.until(lambda: any(b.name == "sink:siem" for b in world.ledger.breakers.list_open()))
    world.until(lambda: not world.sqs.long_polls, "the poll stops")
    received = world.receives()

    for _ in range(8):
        extended = world.ledger.sums.read().get("leases:extended", 0)
        world.pass_time(HOUR + 60)
        world.until(
            lambda extended=extended: world.ledger.sums.read().get("leases:extended", 0) > extended
        )
    held_up = world.receives()
    world.receiver.start()
    world.settled(seconds=120)

    assert held_up == received
    assert 0 < len(received) < len(messages)
    world.check(counted=True)
    assert set(world.receives().values()) == {1}
    assert len(world.repeated()) <= 4
