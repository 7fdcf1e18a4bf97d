"""Moving messages back from a dead-letter queue: by a task of SQS, and by hand."""

import contextlib
import json
import threading
from itertools import count

import pytest

from tests.support.announcements import own
from tests.support.aws_answers import session
from tests.support.http_stub import Request
from tests.support.sqs_queue import ARN
from tests.support.sqs_stub import SqsStub
from trailcourier.aws import dead_letters, regions, sqs
from trailcourier.aws.dead_letters import DeadLetters
from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.ledger.quarantine import QuarantineEntry, entry_id
from trailcourier.models import ObjectRef
from trailcourier.operations import redrive

DENIED = {"code": "AccessDenied", "status": 403, "times": -1}
ATTRIBUTES = {
    "team": {"DataType": "String", "StringValue": "security"},
    "key": {"DataType": "Binary", "BinaryValue": "AAEC"},
    "weight": {"DataType": "Number.float", "StringValue": "1.5"},
}


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setattr(redrive, "CHECK_INTERVAL", 0.01)
    monkeypatch.setattr("trailcourier.aws.dead_letters.queue.WAIT", 0)
    with SqsStub() as stub:
        stub.create("trail", redrive=("trail-dead", 1))
        yield stub


@pytest.fixture
def dead(stub):
    return found(stub)


def found(stub, name="trail", named=""):
    address = regions.parse_queue_url(stub.queue_url(name), "us-east-1")
    queue = sqs.Queue(session(), address, network=Network())
    return dead_letters.find(queue, address, named)


def bury(stub, *bodies, source="trail", **more):
    """Move messages of *source* to its dead-letter queue, and return their ids."""

    def put():
        queue = stub.queues[source]
        ids = [queue.send(body, **more).id for body in bodies]
        for _ in range(2):
            while queue.receive(10, 0):
                pass
        return ids

    return stub.server.call(put)


def move(dead, *, most=None, stopping=None, watched=lambda moved, of: None):
    stopping = stopping or threading.Event()
    return redrive.redrive("prod", dead, most=most, stopping=stopping, watched=watched)


def by_hand(stub):
    stub.moves.known = False


# which queue


def test_the_queue_is_found_by_the_redrive_policy(stub, dead):
    assert dead.address.url == stub.queue_url("trail-dead")


def test_a_queue_without_a_redrive_policy_has_none(stub):
    stub.create("alone")

    assert found(stub, "alone") is None


def test_a_denied_redrive_policy_is_reported_with_the_option_to_use(stub):
    stub.fault("GetQueueAttributes", **DENIED)

    with pytest.raises(Fault, match="--dlq URL") as raised:
        found(stub)

    assert raised.value.reason == "queue-denied"


def test_a_named_queue_needs_no_policy(stub):
    stub.create("elsewhere")
    stub.send("elsewhere", "one", "two")
    stub.fault("GetQueueAttributes", **DENIED)

    result = move(found(stub, named=stub.queue_url("elsewhere")))

    assert (result.way, result.moved, result.good) == ("by-hand", 2, True)
    assert stub.bodies("trail") == ["one", "two"]


# by SQS


def test_a_move_task_moves_all_messages(stub, dead):
    bury(stub, *"abcde")
    stub.moves.pace = 2
    seen = []

    result = move(dead, watched=lambda moved, of: seen.append((moved, of)))

    assert (result.way, result.moved, result.good, result.note) == ("move-task", 5, True, "")
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert sorted(stub.bodies("trail")) == [*"abcde"]
    assert stub.bodies("trail-dead") == []


def test_a_second_redrive_is_distinguished_from_the_first(stub, dead):
    bury(stub, "a")
    first = move(dead)
    bury(stub, "b")  # and with it "a", which the first has brought back
    second = move(dead)

    assert (first.moved, second.moved) == (1, 2)
    assert len(stub.log("StartMessageMoveTask")) == 2


def test_a_running_task_is_awaited_and_no_second_started(stub, dead):
    bury(stub, *"abcd")
    stub.moves.pace = 1
    dead.start_move()

    result = move(dead)

    assert (result.moved, result.note) == (4, "a move task was running already; this is its result")
    assert len(stub.log("StartMessageMoveTask")) == 1


def test_a_signal_cancels_the_task(stub, dead):
    bury(stub, *"abcdef")
    stub.moves.pace = 1
    stopping = threading.Event()

    result = move(dead, stopping=stopping, watched=lambda moved, of: moved == 2 and stopping.set())

    assert (result.stopped, result.good) == (True, True)
    assert 2 <= result.moved < 6
    assert len(stub.bodies("trail")) == result.moved
    assert len(stub.bodies("trail-dead")) == 6 - result.moved


def test_a_task_that_fails_says_why(stub, dead):
    bury(stub, "a")
    stub.moves.fails = "AccessDenied"

    result = move(dead)

    assert (result.good, result.failed) == (False, {"task": "AccessDenied"})


def test_a_task_that_sqs_does_not_show_ends_the_wait(stub, dead, monkeypatch):
    bury(stub, "a")
    monkeypatch.setattr(redrive, "APPEARS", 0.1)
    monkeypatch.setattr(DeadLetters, "latest_move", lambda self: None)

    with pytest.raises(Fault, match="does not show its move task"):
        move(dead)


# by hand, where SQS does not


def test_without_move_tasks_messages_are_moved_by_hand(stub, dead):
    by_hand(stub)
    bury(stub, *map(str, range(23)))
    seen = []

    result = move(dead, watched=lambda moved, of: seen.append((moved, of)))

    assert (result.way, result.moved, result.good) == ("by-hand", 23, True)
    assert "InvalidAction" in result.note
    assert seen[-1] == (23, 23)
    assert sorted(map(int, stub.bodies("trail"))) == [*range(23)]
    assert stub.bodies("trail-dead") == []


def test_with_denied_move_tasks_messages_are_moved_by_hand(stub, dead):
    bury(stub, "a")
    stub.fault("StartMessageMoveTask", **DENIED)

    result = move(dead)

    assert (result.way, result.moved) == ("by-hand", 1)
    assert "queue-denied" in result.note


def test_no_more_than_the_limit_are_moved(stub, dead):
    bury(stub, *map(str, range(15)))

    result = move(dead, most=12)

    assert (result.way, result.moved, result.note) == ("by-hand", 12, "only 12 of them")
    assert len(stub.bodies("trail-dead")) == 3


def test_attributes_are_kept(stub, dead):
    bury(stub, "a", attributes=ATTRIBUTES, trace="Root=1-5759e988-bd862e3fe1be46a994272793")

    move(dead, most=1)

    (message,) = stub.messages("trail")
    assert message.attributes == ATTRIBUTES
    assert message.trace == "Root=1-5759e988-bd862e3fe1be46a994272793"


def test_messages_of_other_queues_stay_and_are_visible_again(stub):
    stub.create("other", redrive=("trail-dead", 1))
    bury(stub, "ours-1", "ours-2")
    bury(stub, "theirs-1", "theirs-2", source="other")

    result = move(found(stub))

    assert (result.way, result.moved, result.others) == ("by-hand", 2, 2)
    assert result.note == "other queues may move messages there too"
    assert sorted(stub.bodies("trail")) == ["ours-1", "ours-2"]
    assert sorted(stub.bodies("trail-dead")) == ["theirs-1", "theirs-2"]
    assert all(message.visible_at <= stub.now() for message in stub.messages("trail-dead"))


def test_messages_that_return_during_a_redrive_are_not_moved_twice(stub, dead):
    by_hand(stub)
    bury(stub, *map(str, range(12)))
    moved = []

    def bring_back(now, of):
        if not moved:
            moved.append(now)
            stub.server.call(lambda: [stub.queues["trail"].receive(10, 0) for _ in range(3)])

    result = move(dead, watched=bring_back)

    assert (result.moved, result.good) == (12, True)
    assert len(stub.bodies("trail")) + len(stub.bodies("trail-dead")) == 12


def test_messages_that_cannot_be_sent_stay_and_are_visible_again(stub, dead):
    by_hand(stub)
    ids = bury(stub, "a", "b", "c")
    stub.fail_entries("SendMessageBatch", code="InternalError", skip=1)

    result = move(dead)

    assert (result.moved, result.good) == (2, False)
    assert result.failed == {ids[1]: "InternalError"}
    (left,) = stub.messages("trail-dead")
    assert (left.body, left.visible_at <= stub.now()) == ("b", True)


def test_messages_sent_and_not_deleted_are_reported_as_in_both_queues(stub, dead):
    by_hand(stub)
    ids = bury(stub, "a", "b")
    stub.fail_entries("DeleteMessageBatch", code="InternalError")

    result = move(dead)

    assert (result.moved, result.doubled, result.good) == (2, {ids[0]: "InternalError"}, False)
    assert sorted(stub.bodies("trail")) == ["a", "b"]
    assert stub.bodies("trail-dead") == ["a"]


@pytest.mark.parametrize("action", ["ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch"])
@pytest.mark.parametrize("how", [{"reset": True}, {"reset": True, "after": True}, DENIED], ids=str)
def test_no_failure_loses_a_message(stub, dead, action, how):
    by_hand(stub)
    bodies = [str(at) for at in range(25)]
    bury(stub, *bodies)
    stub.fault(action, **{"skip": 1, "times": 20} | how)

    with contextlib.suppress(Fault):
        assert not move(dead).good

    there = set(stub.bodies("trail")) | set(stub.bodies("trail-dead"))
    assert there == set(bodies)


def test_the_number_moved_before_a_failure_is_reported(stub, dead):
    by_hand(stub)
    bury(stub, *map(str, range(25)))
    stub.fault("ReceiveMessage", skip=2, times=-1, reset=True)

    with pytest.raises(Fault, match="after 20 messages were moved"):
        move(dead)


def test_a_denied_send_raises_and_moves_nothing(stub, dead):
    by_hand(stub)
    bury(stub, "a")
    stub.fault("SendMessageBatch", **DENIED)

    with pytest.raises(Fault) as raised:
        move(dead)

    assert raised.value.reason == "queue-denied"
    (left,) = stub.messages("trail-dead")
    assert left.visible_at <= stub.now()


def test_a_batch_has_no_more_bytes_than_sqs_accepts(stub, dead):
    by_hand(stub)
    sizes = []
    stub.refuses = lambda request: sizes.append(sent(request)) or ""
    bury(stub, *("x" * 100_000 for _ in range(5)), "y" * 400_000)

    result = move(dead)

    assert result.moved == 6
    assert max(sizes) <= 410_000
    assert sum(size > 0 for size in sizes) == 4


def sent(request: Request) -> int:
    is_send = "SendMessageBatch" in request.headers["x-amz-target"]
    entries = json.loads(request.body)["Entries"] if is_send else ()
    return sum(len(entry["MessageBody"]) for entry in entries)


def test_a_signal_stops_it_between_two_batches(stub, dead):
    by_hand(stub)
    bury(stub, *map(str, range(25)))
    stopping = threading.Event()

    result = move(dead, stopping=stopping, watched=lambda moved, of: stopping.set())

    assert (result.moved, result.stopped, result.good) == (10, True, True)
    assert len(stub.bodies("trail-dead")) == 15


def test_after_a_signal_nothing_is_started(stub, dead):
    bury(stub, "a")
    stopping = threading.Event()
    stopping.set()

    assert move(dead, stopping=stopping).stopped
    assert stub.bodies("trail-dead") == ["a"]


@pytest.mark.parametrize("page", [{"page": b"<html>", "status": 200}, {"reset": True}], ids=str)
def test_a_network_failure_is_no_reason_to_move_by_hand(stub, dead, page):
    bury(stub, "a")
    stub.fault("ListDeadLetterSourceQueues", times=-1, **page)

    with pytest.raises(Fault) as raised:
        move(dead)

    assert raised.value.reason in {"network", "not-aws"}
    assert not stub.log("ReceiveMessage")


# listing


def entry(ref, reason, message=""):
    return QuarantineEntry(entry_id(ref), "object", reason, f"broken {ref}", ref, message)


def test_messages_are_listed_with_their_reasons(stub, dead):
    known, corrupt, unknown = (ObjectRef("acme-logs", name) for name in ("a", "b", "c"))
    ids = bury(
        stub, "no JSON", *(own(ref.key, bucket=ref.bucket) for ref in (known, corrupt, unknown))
    )
    entries = [entry(known, "too-large", ids[1]), entry(corrupt, "corrupt", "of-another-receive")]

    listing = redrive.list_messages("prod", dead, entries, most=10)

    assert (listing.waiting, listing.note) == (4, "")
    by_id = {each.id: each for each in listing.messages}
    assert [(by_id[id_].reason, list(by_id[id_].what)) for id_ in ids] == [
        ("not-understood", []),
        ("too-large", ["s3://acme-logs/a"]),
        ("corrupt", ["s3://acme-logs/b"]),
        ("", ["s3://acme-logs/c"]),
    ]
    assert by_id[ids[1]].detail == "broken s3://acme-logs/a"
    assert {each.receives for each in listing.messages} == {2}


def test_listed_messages_are_visible_again(stub, dead):
    bury(stub, *map(str, range(12)))

    listing = redrive.list_messages("prod", dead, (), most=11)

    assert len(listing.messages) == 11
    assert all(message.visible_at <= stub.now() for message in stub.messages("trail-dead"))
    assert len(stub.messages("trail-dead")) == 12
    assert stub.deleted() == []


def test_listed_messages_return_even_if_releasing_is_denied(stub, dead):
    bury(stub, "a")
    stub.fault("ChangeMessageVisibilityBatch", **DENIED)

    assert len(redrive.list_messages("prod", dead, (), most=1).messages) == 1

    stub.advance(31)
    assert len(redrive.list_messages("prod", dead, (), most=1).messages) == 1


def test_a_denied_receive_still_counts_messages_and_is_noted(stub, dead):
    bury(stub, "a")
    stub.fault("ReceiveMessage", **DENIED)

    listing = redrive.list_messages("prod", dead, (), most=1)

    assert (listing.waiting, list(listing.messages)) == (1, [])
    assert listing.note.startswith("not read: queue-denied: ")


def test_the_sources_own_queue_is_refused_as_dead_letter_queue(stub):
    with pytest.raises(ValueError, match="own queue"):
        found(stub, named=stub.queue_url("trail") + "/")


def test_a_dead_letter_queue_with_its_own_redrive_policy_is_not_read(stub):
    stub.create("second", redrive=("third", 1))
    stub.create("first", redrive=("second", 1))
    bury(stub, "a", source="first")

    listing = redrive.list_messages("prod", found(stub, "first"), (), most=10)

    assert (listing.waiting, list(listing.messages)) == (1, [])
    assert "redrive policy too" in listing.note
    assert not stub.log("ReceiveMessage")


def test_zero_messages_are_listed_without_a_receive(stub, dead):
    bury(stub, "a")

    assert redrive.list_messages("prod", dead, (), most=0).waiting == 1
    assert not stub.log("ReceiveMessage")


def test_messages_of_another_queue_are_marked(stub, dead):
    stub.create("other", redrive=("trail-dead", 1))
    bury(stub, "a")
    bury(stub, "b", source="other")

    listing = redrive.list_messages("prod", dead, (), most=10)

    assert sorted(each.ours for each in listing.messages) == [False, True]
    assert {message.origin for message in stub.messages("trail-dead")} == {
        f"{ARN}:trail", f"{ARN}:other",
    }  # fmt: skip


def test_the_number_of_messages_may_be_unknown(stub, dead):
    bury(stub, "a")
    stub.fault("GetQueueAttributes", **DENIED)

    listing = redrive.list_messages("prod", dead, (), most=5)

    assert (listing.waiting, len(listing.messages)) == (None, 1)


def test_a_peek_ends_although_the_same_message_returns(dead, monkeypatch):
    numbers = count()
    letter = dead_letters.DeadLetter("always", "r", "body")
    monkeypatch.setattr(DeadLetters, "receive", lambda *_, **__: next(numbers) < 100 and [letter])

    assert [each.id for each in dead.peek(10)] == ["always"]
