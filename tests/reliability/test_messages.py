"""What SQS may do to a message: bring it twice, take its lease away, delete some of a batch."""

import pytest

from tests.reliability.conftest import FLEET


@pytest.mark.slow
def test_a_message_delivered_twice_at_once_is_carried_once(make):
    world = make(source="pollers = 2")
    world.sqs.deliver_twice("trail", times=6)
    messages = world.messages(6, 2)
    world.start(*FLEET)

    world.settled()

    world.check(counted=True)
    assert set(world.receives().values()) == {2}
    assert messages[0] in world.receives()
    assert world.repeated() == set()
    assert set(world.s3.reads().values()) == {1}


@pytest.mark.slow
def test_an_older_handle_that_is_stored_last_does_not_replace_the_newer(make):
    world = make(source="pollers = 2")
    release_older = world.hold_receive()
    release = world.hold(world.put("twice"))
    message = world.announce("twice")
    world.start(*FLEET)
    world.until(lambda: world.sqs.messages("trail")[0].count == 1, "its first receive is held")

    world.sqs.advance(world.numbers.visibility + 1)
    world.in_hand("twice")
    lease = f"{world.ledger.store.own}m:{message}"
    newer = world.client.hget(lease, "h")
    release_older()
    world.until(lambda: world.receives()[message] == 2, "its answer is on its way")
    seen = len(world.sqs.log("ReceiveMessage"))
    world.until(lambda: len(world.sqs.log("ReceiveMessage")) >= seen + 4, "it was admitted")
    stored = world.client.hget(lease, "h")
    release()
    world.settled()

    assert stored == newer
    world.check(counted=True)
    assert world.receives() == {message: 2}
    assert world.repeated() == set()


@pytest.mark.parametrize("code", ["InternalError", "ReceiptHandleIsInvalid"])
def test_messages_that_a_batch_did_not_delete_are_deleted_later_and_not_read_again(make, code):
    world = make()
    world.sqs.fail_entries("DeleteMessageBatch", code=code, times=2)
    world.messages(5, 1)
    world.start(*FLEET)
    world.until(lambda: len(world.waiting()) == 2 and not world.missing(), "two are left")

    world.pass_time(world.numbers.visibility + 1)
    world.settled()

    world.check(counted=True)
    assert world.repeated() == set()
    assert set(world.s3.reads().values()) == {1}


def test_a_lease_that_ends_mid_way_costs_a_receive_and_nothing_else(make):
    world = make()
    release = world.hold(*(world.put(name) for name in ("a", "b")))
    message = world.announce("a", "b")
    world.start(*FLEET)
    world.in_hand("a", "b")

    world.sqs.advance(world.numbers.visibility + 1)
    world.until(lambda: world.sqs.messages("trail")[0].count == 2, "it comes again")
    release()
    world.settled()

    world.check(counted=True)
    assert world.receives() == {message: 2}
    assert world.repeated() == set()
    assert set(world.s3.reads().values()) == {1}


@pytest.mark.slow
def test_a_lease_of_twelve_hours_is_let_go_and_taken_up_again(make):
    world = make(visibility=7200)
    world.s3.fault("*", code="AccessDenied", times=-1)
    message = world.announce(world.put("a"), world.put("b"))
    world.start(*FLEET)
    world.until(lambda: world.ledger.room.count_in_hand()[1] == 2, "both are parked")

    for seconds in [3650] * 11 + [2900, 60]:
        counted = world.ledger.sums.read()
        world.pass_time(seconds)
        world.until(lambda counted=counted: moved(counted, world), "the lease is tended")
    world.until(lambda: world.ledger.sums.read().get("leases:given-up"), "it is let go")
    world.s3.heal()
    world.pass_time(7200)
    world.settled()

    world.check(counted=True)
    assert world.receives() == {message: 2}
    assert world.repeated() == set()


def moved(before, world):
    after = world.ledger.sums.read()
    return any(after.get(f) != before.get(f) for f in ("leases:extended", "leases:given-up"))
