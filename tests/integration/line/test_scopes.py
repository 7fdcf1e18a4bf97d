"""What is outside the scope of a fault goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from tests.integration.line.conftest import BUCKET, World, expected, key, log_file, notice, records
from trailcourier.aws.network import Network
from trailcourier.ledger.left_messages import HOLD, PATIENCE, LeftMessage
from trailcourier.line import queue
from trailcourier.line.maintenance import release_recovered
from trailcourier.sinks import open_sink
from trailcourier.sinks.file import File

SICK = "AWSLogs/999999999999/"


def sick(at: int) -> str:
    return key(at).replace("111122223333", "999999999999")


def receives(world: World) -> dict[str, int]:
    """How often each message that still waits was received."""
    return {message.id: message.count for message in world.sqs.messages("trail")}


def turns_until(world: World, done: Callable[[], bool], most: int = 200) -> int:
    """Let the fleet work, two seconds a turn, until *done*; how many turns that took."""
    for turn in range(most):
        if done():
            return turn
        while world.poll():
            world.forward_all()
        world.forward_all()
        world.maintenance()
        world.pass_time(2)
    raise AssertionError(f"not done after {most} turns: {world.count()}")


def good_ones_take(world: World, *, first: int, good: int, bad: int) -> int:
    """Turns until *good* files are delivered, announced among *bad* ones that AWS denies."""
    before = len(world.delivered())
    world.s3.refuses = lambda request: "AccessDenied" if SICK in request.target else ""
    each = max(1, good // max(1, bad))
    for at in range(first, first + good):
        world.announce(world.put(at))
        if bad and at % each == 0:
            world.s3.put(BUCKET, sick(at), log_file(records(f"bad-{at}")))
            world.announce(sick(at))
    return turns_until(world, lambda: len(world.delivered()) == before + 3 * good)


def test_a_third_of_a_bucket_that_is_denied_does_not_keep_the_rest_waiting(make):
    world = make(numbers={"in_flight": 16})
    alone = good_ones_take(world, first=0, good=40, bad=0)

    beside = good_ones_take(world, first=100, good=40, bad=20)

    assert beside <= 2 * alone + 1
    assert [each.name for each in world.ledger.breakers.list_open()] == [
        f"bucket:prod:{BUCKET}/999999999999"
    ]


def test_a_message_of_a_bucket_that_is_not_there_does_not_stop_the_source(make):
    world = make(numbers={"parked": 30, "in_flight": 50})
    missing = world.sqs.send("trail", notice(*map(key, range(60)), bucket="gone-logs"))[0]

    turns_until(world, lambda: world.ledger.room.count_in_hand() == (0, 60, 1))
    for at in range(100, 120):
        world.announce(world.put(at))
    turns_until(world, lambda: len(world.delivered()) == 60)

    assert world.waiting() == [missing]
    assert world.ledger.left.count() == 0  # it alone probes its bucket
    assert "messages:left" not in world.count()


def test_of_two_messages_of_a_bucket_that_is_not_there_one_is_left_to_the_queue(make):
    world = make(numbers={"parked": 30, "in_flight": 50})
    for _ in range(2):
        world.sqs.send("trail", notice(*map(key, range(40)), bucket="gone-logs"))

    turns_until(world, lambda: world.ledger.left.count() == 1)
    for at in range(100, 120):
        world.announce(world.put(at))
    turns_until(world, lambda: len(world.delivered()) == 60)

    assert len(world.waiting()) == 2
    assert world.count()["messages:full"] >= 1


@pytest.mark.parametrize(
    ("code", "status", "known"), [("InternalError", 500, 1), ("AccessDenied", 403, 0)]
)
def test_a_message_is_known_where_nobody_can_say_whether_it_was_hidden(make, code, status, known):
    """Hidden and unknown, it would be away for half a day."""
    world = make(numbers={"parked": 4, "in_flight": 50})
    for _ in range(2):
        world.sqs.send("trail", notice(*map(key, range(4)), bucket="gone-logs"))
    world.run()
    world.sqs.fault("ChangeMessageVisibilityBatch", code=code, status=status, times=-1)

    world.maintenance()

    assert world.ledger.left.count() == known


def test_what_was_left_for_a_bucket_comes_back_when_it_recovers_and_is_delivered(make):
    world = make(numbers={"parked": 4, "in_flight": 50})
    world.s3.refuses = lambda request: "AccessDenied"
    for at in range(12):
        world.announce(world.put(at))
    turns_until(world, lambda: world.ledger.left.count() > 0)
    most = [0]

    world.s3.refuses = lambda request: ""

    def settled() -> bool:
        most.append(max(receives(world).values(), default=0))
        return not world.waiting()

    turns_until(world, settled)

    assert world.delivered() == expected(*range(12))
    assert max(most) <= 3


def test_several_messages_that_name_one_object_while_the_sink_is_down_stay_good(make, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    target = open_sink("archive", File(type="file", path=blocked / "out", fsync=False), Network())
    world = make(configured_sinks=(target,))
    name = world.put(1)
    for _ in range(12):
        world.announce(name)

    for _ in range(60):
        world.poll()
        world.forward_all()
        world.maintenance()
        world.pass_time(5)
    counts = receives(world)
    blocked.unlink()
    (blocked / "out").mkdir(parents=True)
    world.pass_time(900)  # the longest wait of a parked object
    turns_until(world, lambda: not world.waiting())

    assert len(counts) == 12
    assert max(counts.values()) <= 1
    assert sum(1 for _ in Path(blocked).rglob("*.ndjson")) == 1


def leave_five(world: World) -> None:
    """Leave five messages to the queue for a bucket that is well some minutes later."""
    for at in range(5):
        world.announce(world.put(at))
    came = world.line.queue.receive(most=10, wait=0, visibility=600)
    queue.leave(world.line, [LeftMessage(m.id, m.receipt, 1, f"{BUCKET}/1") for m in came])
    world.pass_time(PATIENCE / 1000 + 1)


def handed_back(world: World) -> int:
    """Hand back what is due; how many messages that was, by the log."""
    with structlog.testing.capture_logs() as log:
        release_recovered(world.line)
    return sum(each["messages"] for each in log if each["event"] == "left_messages_released")


def test_what_the_queue_does_not_hand_back_stays_known_and_is_handed_back_later(world):
    leave_five(world)
    world.sqs.fail_entries("ChangeMessageVisibilityBatch", code="RequestThrottled", times=2)

    some = handed_back(world)
    known = world.ledger.left.count()
    at_once = handed_back(world)
    world.pass_time(HOLD / 1000 + 1)
    others = handed_back(world)

    assert (some, known, at_once, others) == (3, 2, 0, 2)
    assert world.ledger.left.count() == 0
    assert world.poll() == 5


def test_nothing_is_reported_as_handed_back_while_the_queue_does_not_answer(world):
    leave_five(world)
    fault = world.sqs.fault("ChangeMessageVisibilityBatch", times=-1, code="ServiceUnavailable",
                            status=503)  # fmt: skip

    none = handed_back(world)
    fault.times = 0
    world.pass_time(HOLD / 1000 + 1)

    assert (none, world.ledger.left.count()) == (0, 5)
    assert handed_back(world) == 5


def test_one_that_the_queue_no_longer_knows_is_forgotten(world):
    leave_five(world)
    world.sqs.fail_entries("ChangeMessageVisibilityBatch", code="ReceiptHandleIsInvalid", times=1)

    assert handed_back(world) == 4
    assert world.ledger.left.count() == 0
