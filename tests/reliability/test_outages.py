"""A queue, a bucket or a sink fails in every way it can; when it is back, everything arrives."""

import contextlib

import pytest

from tests.reliability.conftest import FLEET, world

slow = pytest.mark.slow
hangs = [pytest.mark.slow, pytest.mark.timeout(400)]

S3 = [
    pytest.param({"code": "SlowDown"}, id="slow down", marks=slow),
    pytest.param({"code": "InternalError"}, id="internal error", marks=slow),
    pytest.param({"code": "AccessDenied"}, id="denied"),
    pytest.param({"reset": True}, id="reset", marks=slow),
    pytest.param({"cut": 10}, id="cut body"),
    pytest.param({"hang": True}, id="hangs", marks=hangs),
]
FAILS = {"code": "InternalError", "status": 500}
LOST = {"reset": True, "after": True}
SQS = [
    pytest.param("ReceiveMessage", FAILS, id="receive fails"),
    pytest.param(
        "ReceiveMessage", {"code": "AccessDenied", "status": 403}, id="receive denied", marks=slow
    ),
    pytest.param("ReceiveMessage", {"reset": True}, id="receive reset", marks=slow),
    pytest.param("ReceiveMessage", LOST, id="receive done and its answer lost"),
    pytest.param("DeleteMessageBatch", FAILS, id="delete fails"),
    pytest.param("DeleteMessageBatch", {"reset": True}, id="delete reset", marks=slow),
    pytest.param("DeleteMessageBatch", LOST, id="delete done and its answer lost"),
    pytest.param("ChangeMessageVisibilityBatch", FAILS, id="extend fails"),
    pytest.param("*", FAILS, id="everything fails", marks=slow),
    pytest.param("*", {"reset": True}, id="everything resets", marks=slow),
    pytest.param("*", {"hang": True}, id="everything hangs", marks=hangs),
]


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
    running.settled(seconds=90)


def tag(text):
    return "".join(letter for letter in text if letter.isalnum())[-12:]


def outage(world, messages, *, hours=3):
    """Let *hours* pass while nothing can be delivered; each message stays in hand."""
    world.until(
        lambda: world.ledger.room.count_in_hand()[1] >= 4, "objects are parked", seconds=120
    )
    for _ in range(hours):
        before = extended(world)
        world.pass_time(3610)
        world.until(lambda before=before: extended(world) >= before + 2, "leases are extended")
    assert world.waiting() == messages
    assert world.missing(world.announced[messages[0]])
    assert [world.receives()[each] for each in messages] == [1] * len(messages)


def extended(world):
    return world.ledger.sums.read().get("leases:extended", 0)


@pytest.mark.parametrize("how", S3)
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
    return world.processes["control"].output.count('"queue_failed"')


@pytest.mark.parametrize(("action", "how"), SQS)
def test_all_goes_on_when_the_queue_is_back(healthy, action, how, request):
    world = healthy
    before = failures(world)
    world.sqs.fault(action, times=-1, **how)
    messages = world.messages(2, 2, prefix=tag(request.node.name))

    if action == "ChangeMessageVisibilityBatch":
        world.s3.fault("*", code="SlowDown", times=-1)
        world.until(lambda: world.ledger.room.count_in_hand()[1] >= 4, "objects are parked")
        world.pass_time(3610)
    world.until(lambda: failures(world) > before, "a call fails for good", seconds=120)
    world.sqs.heal()
    world.s3.heal()
    world.pass_time(11)  # whoever began to delete or to extend had ten seconds for it
    world.settled(again=True, seconds=120)

    world.check(counted=True)
    assert world.repeated().isdisjoint(name for m in messages for name in world.announced[m])


@contextlib.contextmanager
def busy(world):
    world.receiver.busy(1_000_000)
    try:
        yield
    finally:
        world.receiver.busy(0)


@contextlib.contextmanager
def rejecting_connections(world):
    world.receiver.kill()
    try:
        yield
    finally:
        world.receiver.start()


@contextlib.contextmanager
def frozen(world):
    world.receiver.freeze(frozen=True)
    try:
        yield
    finally:
        world.receiver.freeze(frozen=False)


@contextlib.contextmanager
def no_folder(world):
    """What the files lie in is gone, and something else is there."""
    out, away = world.folder / "out", world.folder / "away"
    if out.exists():
        out.rename(away)
    out.write_text("in the way")
    try:
        yield
    finally:
        out.unlink()
        if away.exists():
            away.rename(out)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(busy, marks=slow),
        pytest.param(rejecting_connections, marks=slow),
        frozen,
        no_folder,
    ],
)
def test_nothing_is_received_twice_while_a_sink_fails(healthy, broken, request):
    world = healthy
    with broken(world):
        messages = world.messages(2, 2, prefix=tag(request.node.name))
        outage(world, messages)
    world.settled()

    world.check(counted=True)
    assert [world.receives()[each] for each in messages] == [1, 1]
