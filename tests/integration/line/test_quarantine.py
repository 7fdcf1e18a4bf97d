"""What is refused, from the queue to quarantine and, once repaired, to the sink."""

import gzip
import json

import pytest

from tests.integration.line.conftest import BUCKET, FOLDER, expected, key, log_file, records
from tests.support import announcements
from trailcourier.line import poll
from trailcourier.operations.retry import retry

BROKEN = b"\x1f\x8b broken"
ODD = "copies/of/a/log.json.gz"
ALARM = json.dumps({"AlarmName": "cpu", "NewStateValue": "ALARM"})


def s3_event(name, etag):
    """A notification of S3, about our bucket."""
    event = announcements.s3(announcements.entry(name, eTag=etag))
    return event.replace(announcements.BUCKET, BUCKET)


def refuse_until_it_is_dead(world):
    """Receive the message again and again, until its redrive policy takes it."""
    for _ in range(12):
        if not world.waiting():
            return
        world.pass_time(901)
        world.run()
    raise AssertionError("it is still in the queue")


def sent_again(world, message):
    """As StartMessageMoveTask of SQS: another id, another time."""
    world.sqs.send("trail", message.body)


def counted_anew(world, message):
    """As servers that move the message itself, and count it from one."""
    message.count, message.visible_at = 0, world.sqs.now()
    world.sqs.server.call(world.sqs.queues["trail"].put, message)


def counted_on(world, message):
    """As servers that move it with its count, and say when it was sent."""
    message.count, message.sent, message.visible_at = 3, world.sqs.now(), world.sqs.now()
    world.sqs.server.call(world.sqs.queues["trail"].put, message)


@pytest.mark.parametrize("redrive", [sent_again, counted_anew, counted_on])
def test_what_is_repaired_and_moved_back_from_the_dead_letter_queue_is_delivered(world, redrive):
    world.s3.put(BUCKET, key(1), BROKEN)
    world.announce(key(1), world.put(2))
    world.run()
    refuse_until_it_is_dead(world)
    (dead,) = world.sqs.messages("dead")

    world.s3.put(BUCKET, key(1), log_file(records(1)))
    world.sqs.server.call(world.sqs.queues["dead"].held.clear)
    redrive(world, dead)
    world.run()

    assert world.delivered() == expected(1, 2)
    assert world.waiting() == []
    assert world.ledger.quarantine.entries() == []


@pytest.mark.parametrize("redrive", [sent_again, counted_anew, counted_on])
def test_what_is_moved_back_unrepaired_is_read_once_more_and_refused(world, redrive):
    world.s3.put(BUCKET, key(1), BROKEN)
    world.announce(key(1))
    world.run()
    refuse_until_it_is_dead(world)
    (dead,) = world.sqs.messages("dead")
    world.sqs.server.call(world.sqs.queues["dead"].held.clear)

    redrive(world, dead)
    statuses = world.run()
    world.pass_time(901)
    again = world.run()

    assert (statuses, again) == (["refused"], [])
    assert world.s3.reads()[key(1)] == 2
    (entry,) = world.ledger.quarantine.entries()
    assert entry.reason == "corrupt"
    assert world.count()["objects:refused:corrupt"] == 1


def test_foreign_messages_do_not_hide_a_refused_file(make):
    world = make(numbers={"quarantine_entries": 15, "quarantine_messages": 15})
    world.s3.put(BUCKET, key(1), BROKEN)
    world.announce(key(1))
    world.sqs.send("trail", *[ALARM] * 40)

    while world.poll():
        world.forward_all()

    file, alarms = sorted(world.ledger.quarantine.entries(), key=lambda entry: entry.kind)[::-1]
    assert (file.ref.key, file.reason) == (key(1), "corrupt")
    assert (alarms.reason, alarms.messages_in_all, len(alarms.messages)) == (
        "not-understood",
        40,
        5,
    )


def refuse_then_repair(world, many):
    """Have so many broken files refused, then put sound ones in their place."""
    for at in range(many):
        world.s3.put(BUCKET, key(at), BROKEN)
        world.announce(key(at))
    while world.poll():
        world.forward_all()
    for at in range(many):
        world.s3.put(BUCKET, key(at), log_file(records(at)))


def test_all_that_was_refused_is_delivered_by_a_retry_however_little_room_there_was(make):
    world = make(numbers={"quarantine_entries": 5})
    refuse_then_repair(world, 20)

    results = [retry(world.line, entry) for entry in world.ledger.quarantine.entries()]

    assert all(each.done for each in results)
    assert world.delivered() == expected(*range(20))
    assert world.ledger.quarantine.count() == 0


def test_what_quarantine_no_longer_remembers_is_delivered_when_a_message_names_it(make):
    """So a redrive of the dead-letter queue delivers what ``retry`` cannot know of."""
    world = make(numbers={"quarantine_entries": 1, "quarantine_remembered": 1})
    refuse_then_repair(world, 4)

    for entry in world.ledger.quarantine.entries():
        retry(world.line, entry)
    by_retry = len(world.delivered())
    for at in range(4):
        world.announce(key(at))
    while world.poll():
        world.forward_all()

    assert by_retry < len(world.delivered())
    assert world.delivered() == expected(*range(4))
    assert world.ledger.quarantine.count() == 0


def test_a_retry_in_vain_of_what_had_no_details_has_them_again(make):
    world = make(numbers={"quarantine_entries": 1})
    for at in range(2):
        world.s3.put(BUCKET, key(at), BROKEN)
        world.announce(key(at))
        world.run()
    evicted = next(each for each in world.ledger.quarantine.entries() if each.evicted)

    result = retry(world.line, evicted)

    now = world.ledger.quarantine.get(evicted.id)
    assert not result.done
    assert (now.evicted, now.times, now.messages) == (False, 2, evicted.messages)


def test_a_message_is_kept_with_who_sent_it_through_which_topic_and_how_it_begins(world):
    body = announcements.sns(ALARM)
    world.sqs.send("trail", body)

    world.poll()

    (entry,) = world.ledger.quarantine.entries()
    assert entry.sender == "AIDAEXAMPLE"
    assert entry.topic == json.loads(body)["TopicArn"]
    assert entry.body == body.encode()[:300].decode().encode("unicode_escape").decode()
    assert len(entry.message) == 36


def test_a_refused_object_is_kept_with_who_announced_it(world):
    world.s3.put(BUCKET, key(1), BROKEN)
    body = announcements.sns(announcements.own(key(1), bucket=BUCKET))
    world.sqs.send("trail", body)

    world.run()

    (entry,) = world.ledger.quarantine.entries()
    assert (entry.sender, entry.topic) == ("AIDAEXAMPLE", json.loads(body)["TopicArn"])


# which announcement decides


def both(world, first, second):
    """Two announcements of one file whose key has no known shape, in this order."""
    etag = world.s3.put(BUCKET, ODD, log_file(records(1)))
    bodies = {"own": announcements.own(ODD, bucket=BUCKET), "s3": s3_event(ODD, etag)}
    return bodies[first], bodies[second]


@pytest.mark.parametrize("together", [True, False], ids=["in one receive", "one by one"])
@pytest.mark.parametrize("order", [("s3", "own"), ("own", "s3")], ids="-".join)
def test_what_cloudtrail_itself_announces_is_read_whoever_else_does(world, order, together):
    for body in both(world, *order):
        world.sqs.send("trail", body)
        if not together:
            world.run()
    world.run()
    once_delivered = world.ledger.quarantine.entries()
    world.pass_time(61)
    world.run()

    assert world.delivered() == expected(1)
    assert once_delivered == world.ledger.quarantine.entries() == []
    assert world.waiting() == []


def test_the_message_of_a_false_refusal_is_deleted_unread_when_it_comes_again(world):
    for body in both(world, "s3", "own"):
        world.sqs.send("trail", body)
        world.run()

    world.pass_time(61)
    world.run()

    assert world.s3.reads()[ODD] == 1
    assert world.count()["objects:skipped:already-delivered"] == 1
    assert world.waiting() == []


def test_keys_of_no_known_shape_are_counted_by_their_folders(world):
    for name in ("copies/1.json.gz", "copies/2.json.gz", ODD):
        world.sqs.send("trail", s3_event(name, "0" * 32))
        world.run()
    world.sqs.send("trail", announcements.own("odd/1.json.gz", bucket=BUCKET))
    world.run()

    assert world.ledger.sums.read_folders() == {"copies/*": 3}  # CloudTrail's own are no such
    world.pass_time(61)
    world.run()
    assert world.ledger.sums.read_folders() == {"copies/*": 3}


# a rewrite


def rewritten(world, *, after, at=1):
    world.announce(world.put(at))
    world.run()
    world.s3.put(BUCKET, key(at), log_file(records(f"{at}-new")))
    world.pass_time(after)
    world.announce(key(at))
    world.run()


def test_a_file_that_was_overwritten_is_delivered_anew_when_it_is_announced_after_an_hour(world):
    rewritten(world, after=5000)

    assert world.delivered() == expected(1, "1-new")
    assert world.waiting() == []


def test_a_file_that_was_overwritten_within_the_hour_is_not_read_for_a_notice_without_etag(world):
    rewritten(world, after=3500)

    assert world.delivered() == expected(1)
    assert world.s3.reads()[key(1)] == 1
    assert world.count()["objects:skipped:already-delivered"] == 1


def test_a_file_announced_again_unchanged_is_compared_once_an_hour_and_not_sent(world):
    world.announce(world.put(1))
    world.run()
    world.pass_time(5000)

    for _ in range(3):
        world.announce(key(1))
        world.run()

    assert world.delivered() == expected(1)
    assert world.s3.reads()[key(1)] == 2
    assert world.count()["objects:skipped:already-delivered"] == 3
    assert world.waiting() == []


def test_a_rewrite_that_is_broken_is_refused_and_the_repaired_one_delivered(world):
    world.announce(world.put(1))
    world.run()
    world.s3.put(BUCKET, key(1), gzip.compress(b"no log"))
    world.pass_time(5000)
    world.announce(key(1))
    world.run()
    (entry,) = world.ledger.quarantine.entries()
    world.s3.put(BUCKET, key(1), log_file(records("1-new")))

    result = retry(world.line, entry)
    world.pass_time(61)
    world.run()

    assert result.done
    assert world.delivered() == expected(1, "1-new")
    assert world.waiting() == []


# a bug that one message brings out


@pytest.fixture
def bug(monkeypatch):
    """A bug that the body ``bug`` brings out; the answer counts how often it was."""
    decode, met = poll.notifications.decode, []

    def stumbles(body, **how):
        if body == "bug":
            met.append(body)
            raise ZeroDivisionError("nobody foresaw this")
        return decode(body, **how)

    monkeypatch.setattr(poll.notifications, "decode", stumbles)
    return met


def test_a_message_that_brings_out_a_bug_keeps_none_beside_it_waiting(world, bug):
    world.announce(world.put(1))
    world.sqs.send("trail", "bug")
    world.announce(world.put(2))

    assert world.run() == ["delivered", "delivered"]
    assert world.delivered() == expected(1, 2)
    assert len(world.waiting()) == 1


def test_it_is_tried_again_after_longer_and_longer_and_quarantined_the_fifth_time(make, bug):
    world = make()
    world.sqs.queues["trail"]._limit = 50
    world.sqs.send("trail", "bug")
    hidden_for = world.hidden_for()

    for _ in range(6):
        assert world.poll() == 1
        world.pass_time(1000)

    (entry,) = world.ledger.quarantine.entries()
    assert hidden_for == [10, 20, 40, 80, 900, 900]
    assert (entry.kind, entry.reason, entry.times) == ("message", "internal", 2)
    assert "ZeroDivisionError('nobody foresaw this')" in entry.detail
    counted = {k: v for k, v in world.count().items() if k.startswith("messages:")}
    assert counted == {
        "messages:received": 6,
        "messages:failed": 4,
        "messages:refused:internal": 1,
        "messages:refused-before": 1,
    }


def test_it_is_quarantined_before_its_redrive_policy_takes_it(world, bug):
    world.sqs.queues["trail"]._limit = 3
    world.sqs.send("trail", "bug")

    for _ in range(5):
        world.poll()
        world.pass_time(901)

    assert world.sqs.bodies("dead") == ["bug"]
    (entry,) = world.ledger.quarantine.entries()
    assert entry.reason == "internal"


def test_a_message_at_which_a_script_fails_is_such_a_bug_too(world):
    message = world.announce(world.put(1))
    world.ledger.store.client.set(f"{world.ledger.store.own}m:{message}", "not a lease")
    world.announce(world.put(2))

    assert world.run() == ["delivered"]
    assert world.delivered() == expected(2)


def test_what_is_received_beside_an_error_in_the_guard_itself_comes_again_at_once(
    world, bug, monkeypatch
):
    world.sqs.send("trail", "bug")
    world.announce(world.put(1))

    def fails(*_args):
        raise KeyError("Attributes")

    with monkeypatch.context() as broken:
        broken.setattr(world.line.queue, "max_receives", fails)
        with pytest.raises(KeyError):
            world.poll()

    assert world.run() == ["delivered"]


@pytest.mark.parametrize("step", ["publish_all", "settle"])
def test_what_was_admitted_before_an_error_is_found_by_tend(world, monkeypatch, step):
    world.announce(world.put(1))
    world.announce(key(1).replace("CloudTrail", "CloudTrail-Digest"))

    def fails(*_args):
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(poll, step, fails)
        with pytest.raises(ZeroDivisionError):
            world.poll()
    world.forward_all()
    world.pass_time(11)
    world.maintenance()
    world.forward_all()

    assert world.delivered() == expected(1)
    assert world.waiting() == []
    assert FOLDER in key(1)
