"""The line beside a full broker: what ends work goes on, what begins it does not."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.integration.line.conftest import BUCKET, World, expected, key, notice
from tests.support import impaired
from trailcourier.host.embedded_broker import EmbeddedBroker
from trailcourier.ledger.redis_faults import Impaired
from trailcourier.line.forward import forward_object
from trailcourier.line.settle import settle

DONE_BEFORE_TEND = 6  # seconds, more than a finished message waits for its own settle


@pytest.fixture
def full(running: EmbeddedBroker) -> Callable[[], AbstractContextManager[None]]:
    return lambda: impaired.full(running)


def finished(world: World, *, messages: int = 3) -> None:
    """Take *messages* and carry their objects; nobody settles them."""
    for at in range(messages):
        world.announce(world.put(at))
    world.poll()
    for work in world.work:
        assert forward_object(world.line, work, work.message).status == "delivered"
    world.work.clear()


def leases(world: World) -> list[bytes]:
    return world.ledger.store.client.keys(f"{world.ledger.store.own}m:*")


def test_a_settle_deletes_what_is_finished_and_frees_its_memory(world, full):
    finished(world)

    with full():
        settled = settle(world.line, None)

    assert settled == 3
    assert world.waiting() == []
    assert leases(world) == []
    assert world.count()["messages:deleted"] == 3


def test_maintenance_settles_what_nobody_asked_for(world, full):
    finished(world)
    world.pass_time(DONE_BEFORE_TEND)

    with full():
        world.maintenance()

    assert world.waiting() == []
    assert leases(world) == []


def test_maintenance_extends_the_leases_in_hand_and_settles_the_others(world, full):
    finished(world)
    held = world.announce(world.put(9))
    world.poll()
    world.pass_time(world.line.numbers.visibility * 0.75)

    with full():
        world.maintenance(idle=False)

    world.sqs.advance(world.line.numbers.visibility * 0.5)
    assert world.waiting() == [held]
    assert world.poll() == 0  # it is hidden still
    assert world.count()["leases:extended"] >= 1


def test_what_is_in_hand_is_claimed_carried_and_deleted(world, full):
    for at in range(3):
        world.announce(world.put(at))
    world.poll()

    with full():
        statuses = world.forward_all()

    assert statuses == ["delivered"] * 3
    assert world.delivered() == expected(*range(3))
    assert world.waiting() == []
    assert leases(world) == []


def test_what_cannot_be_carried_is_parked_or_refused(world, full):
    world.announce(key("missing"))
    world.s3.put(BUCKET, key("broken"), b"not gzip")
    world.announce(key("broken"))
    world.poll()

    with full():
        statuses = world.forward_all()

    assert sorted(statuses) == ["parked", "refused"]
    assert world.ledger.quarantine.count() == 1


def test_a_batch_sink_notes_how_far_it_is(world, full):
    world.announce(world.put(1))
    world.poll()
    (work,) = world.work
    answer = world.ledger.claims.claim(
        work.message, 0, 1, token="t", task_id="task", sinks=["archive"]
    )

    with full():
        world.ledger.claims.note_progress(answer.claim, "etag", {"p:archive": 2})

    assert world.ledger.claims.renew([answer.claim]) == [True]


def test_a_message_beyond_what_a_bucket_may_park_is_left_to_the_queue(make, full):
    world = make(numbers={"parked": 2})
    world.sqs.send("trail", notice(key(9), bucket="gone-logs"))
    world.run()
    world.sqs.send("trail", notice(*map(key, range(5)), bucket="gone-logs"))
    world.run()
    before = leases(world)

    with full(), pytest.raises(Impaired, match="OOM"):  # nothing parked is tried again
        world.maintenance()

    assert world.ledger.left.count() == 1
    assert (len(before), len(leases(world))) == (2, 1)


def test_nothing_new_is_taken(world, full):
    world.announce(world.put(1))

    with full(), pytest.raises(Impaired, match="OOM"):
        world.poll()

    (message,) = world.sqs.messages("trail")
    assert message.count == 0
    assert leases(world) == []
    assert world.run() == ["delivered"]
