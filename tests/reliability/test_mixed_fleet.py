"""A fleet whose workers do not all know, or cannot all open, the same sources."""

import signal


def test_an_object_waits_for_a_worker_that_knows_its_source(make):
    world = make()
    older = world.folder / "older.toml"
    older.write_text(world.config.read_text().replace("[sources.prod", "[sources.older"))
    world.start("control", "beat")
    world.start("objects-1", TRAILCOURIER_CONFIG=str(older))
    messages = world.messages(2, 2)
    world.until(lambda: world.ledger.room.count_in_hand()[1] == 4, "they are parked")

    world.signal("objects-1", signal.SIGTERM)
    world.died("objects-1")
    world.start("objects-1")
    world.settled()

    world.check(counted=True)
    assert world.receives() == dict.fromkeys(messages, 1)
    assert world.repeated() == set()


def test_messages_wait_for_a_worker_that_can_open_their_source(make):
    world = make()
    world.start("control", "beat")
    world.start("objects-1", AWS_PROFILE="nowhere")
    messages = world.messages(2, 2)
    world.until(lambda: world.ledger.room.count_in_hand()[1] == 4, "they are parked")

    world.signal("objects-1", signal.SIGTERM)
    world.died("objects-1")
    world.start("objects-1")
    world.settled()

    world.check(counted=True)
    assert world.receives() == dict.fromkeys(messages, 1)
