"""A queue, a bucket or a sink fails in every way it can; when it is back, everything arrives."""

import contextlib

import pytest

from tests.reliability.conftest import FLEET, world

S3 = {
    "slow down": {"code": "SlowDown"},
    "internal error": {"code": "InternalError"},
    "denied": {"code": "AccessDenied"},
    "reset": {"reset": True},
    "cut body": {"cut": 10},
}
SQS = {
    "receive fails": ("ReceiveMessage", {"code": "InternalError", "status": 500}),
    "receive denied": ("ReceiveMessage", {"code": "AccessDenied", "status": 403}),
    "receive reset": ("ReceiveMessage", {"reset": True}),
    "receive done but its answer lost": ("ReceiveMessage", {"reset": True, "after": True}),
    "delete fails": ("DeleteMessageBatch", {"code": "InternalError", "status": 500}),
    "delete reset": ("DeleteMessageBatch", {"reset": True}),
    "delete done but its answer lost": ("DeleteMessageBatch", {"reset": True, "after": True}),
    "extend fails": ("ChangeMessageVisibilityBatch", {"code": "InternalError", "status": 500}),
    "everything fails": ("*", {"code": "InternalError", "status": 500}),
    "everything resets": ("*", {"reset": True}),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with world(tmp_path_factory.mktemp("outages"), visibility=7200) as made:
        made.start(*FLEET)
        yield made


@pytest.fixture
def healthy(running):
    yield running
    running.s3.heal()
    running.sqs.heal()
    running.settled()


def tag(text):
    return "".join(letter for letter in text if letter.isalnum())[-12:]


def outage(world, messages, *, hours=3):
    """Let *hours* pass while nothing can be delivered; each message stays in hand."""
    world.until(lambda: world.ledger.flow.in_hand()[1] >= 4, "objects are parked")
    for _ in range(hours):
        before = extended(world)
        world.pass_time(3610)
        world.until(lambda before=before: extended(world) >= before + 2, "leases are extended")
    assert world.waiting() == messages
    assert world.missing(world.announced[messages[0]])
    assert [world.receives()[each] for each in messages] == [1] * len(messages)


def extended(world):
    return world.ledger.sums.all().get("leases:extended", 0)


@pytest.mark.parametrize("how", S3.values(), ids=S3)
def test_nothing_is_received_twice_while_a_bucket_fails(healthy, how, request):
    world = healthy
    world.s3.fault("*", times=-1, **how)
    messages = world.messages(2, 2, prefix=tag(request.node.name))

    outage(world, messages)
    world.s3.heal()
    world.settled()

    world.check(counted=True)
    assert [world.receives()[each] for each in messages] == [1, 1]


def failures(world):
    return world.processes["control"].said.count('"queue_failed"')


@pytest.mark.parametrize(("action", "how"), SQS.values(), ids=SQS)
def test_all_goes_on_when_the_queue_is_back(healthy, action, how, request):
    world = healthy
    before = failures(world)
    world.sqs.fault(action, times=-1, **how)
    messages = world.messages(2, 2, prefix=tag(request.node.name))

    if action == "ChangeMessageVisibilityBatch":
        world.s3.fault("*", code="SlowDown", times=-1)
        world.until(lambda: world.ledger.flow.in_hand()[1] >= 4, "objects are parked")
        world.pass_time(3610)
    world.until(lambda: failures(world) > before, "a call fails for good")
    world.sqs.heal()
    world.s3.heal()
    world.pass_time(11)  # whoever began to delete or to extend had ten seconds for it
    world.settled(again=True)

    world.check(counted=True)
    assert world.repeated().isdisjoint(name for m in messages for name in world.announced[m])


@contextlib.contextmanager
def busy(world):
    world.receiver.busy(1_000_000)
    yield
    world.receiver.busy(0)


@contextlib.contextmanager
def rejecting_connections(world):
    world.receiver.kill()
    yield
    world.receiver.start()


@contextlib.contextmanager
def frozen(world):
    world.receiver.freeze(frozen=True)
    yield
    world.receiver.freeze(frozen=False)


@contextlib.contextmanager
def no_folder(world):
    """What the files lie in is gone, and something else is there."""
    out, away = world.folder / "out", world.folder / "away"
    if out.exists():
        out.rename(away)
    out.write_text("in the way")
    yield
    out.unlink()
    if away.exists():
        away.rename(out)


@pytest.mark.parametrize("broken", [busy, rejecting_connections, frozen, no_folder])
def test_nothing_is_received_twice_while_a_sink_fails(healthy, broken, request):
    world = healthy
    with broken(world):
        messages = world.messages(2, 2, prefix=tag(request.node.name))
        outage(world, messages)
    world.settled()

    world.check(counted=True)
    assert [world.receives()[each] for each in messages] == [1, 1]
