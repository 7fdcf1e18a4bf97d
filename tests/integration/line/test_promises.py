"""What the line promises whatever happens: when it deletes, asks, and says nothing."""

import io
import json
import sys

import pytest
import structlog

from tests.integration.line.conftest import BUCKET, FOLDER, expected, key, log_file, notice, records
from trailcourier.line.settle import settle
from trailcourier.observability import log

SECRET = "example"  # the world's secret access key


@pytest.fixture
def listen(monkeypatch):
    """A function to call in a test: gives what is logged from then on, as it is written."""

    def started():
        written = io.StringIO()
        monkeypatch.setattr(sys, "stderr", written)
        log.configure("json", "debug")
        return written

    yield started
    structlog.reset_defaults()


def deny_extensions(world):
    world.sqs.fault("ChangeMessageVisibilityBatch", code="AccessDenied", status=403, times=-1)


def test_no_message_is_deleted_before_its_records_are_in_their_files(world):
    there = []
    world.sqs.queues["trail"].watch = lambda message: there.append(world.delivered())
    world.announce(world.put(1), world.put(2))

    world.run()
    world.maintenance()

    assert there == [expected(1, 2)]


def test_a_settle_that_comes_too_early_deletes_nothing(world):
    message = world.announce(world.put(1), world.put(2))
    world.poll()
    world.forward(world.work.pop())

    settle(world.line, [message])
    settle(world.line, None)
    early = world.waiting()
    world.forward_all()

    assert early == [message]
    assert world.waiting() == []


def test_a_receive_that_a_portal_answers_counts_for_no_empty_queue(world):
    world.sqs.fault("*", page=b"<!doctype html><title>Log in</title>", status=200, times=-1)

    world.poll()
    behind_the_portal = world.ledger.receives.count_quiet()
    world.sqs.heal()
    world.poll()

    assert (behind_the_portal, world.ledger.receives.count_quiet()) == (0, 1)


def test_a_message_is_extended_for_as_long_as_its_objects_wait_in_the_broker(world):
    world.announce(world.put(1))
    world.poll()

    for _ in range(10):
        world.pass_time(290)
        world.maintenance(idle=False)
        world.poll()

    received = [id_ for entry in world.sqs.log("ReceiveMessage") for id_ in entry.ids]
    assert len(received) == 1


def test_a_message_that_comes_back_is_deleted_by_its_newest_receipt(world):
    world.announce(world.put(1))
    world.poll()
    world.sqs.advance(601)  # the queue's clock alone: nobody knew that the lease had ended
    world.poll()

    world.forward_all()

    assert world.delivered() == expected(1)
    assert world.waiting() == []


def test_a_lease_that_the_queue_lost_is_given_up_and_counted(world):
    world.announce(world.put(1))
    world.poll()
    world.sqs.fail_entries("ChangeMessageVisibilityBatch", code="MessageNotInflight")

    world.pass_time(301)
    world.maintenance(idle=False)
    after = world.ledger.room.count_in_hand()
    world.forward_all()
    world.pass_time(600)
    world.run()

    assert after == (0, 0, 0)
    assert world.count()["leases:lost"] == 1
    assert world.delivered() == expected(1)
    assert world.waiting() == []


def test_where_it_cannot_be_extended_a_message_is_received_for_an_hour(world):
    deny_extensions(world)
    world.s3.put(BUCKET, key(1), b"\x1f\x8b broken")
    world.announce(key(1))
    world.run()

    world.announce(world.put(2))
    world.poll()

    (held,) = (m for m in world.sqs.messages("trail") if key(2) in m.body)
    assert 3590 < held.visible_at - world.sqs.now() <= 3600


def test_that_nothing_can_be_extended_is_said_once(world, listen):
    out = listen()
    deny_extensions(world)
    for at in range(3):
        world.s3.put(BUCKET, key(at), b"\x1f\x8b broken")
        world.announce(key(at))

    world.run()
    for _ in range(3):
        world.pass_time(400)
        world.maintenance()

    events = [json.loads(line)["event"] for line in out.getvalue().split("\n")[:-1]]
    assert events.count("degraded") == 1


def test_a_bucket_that_fails_does_not_hold_up_another(world):
    for at in range(6):
        world.announce(world.put(at))
        world.s3.fault(key(at), code="AccessDenied", times=-1)
    world.run()
    world.s3.put("acme-other", key("other"), log_file(records("other")))
    world.sqs.send("trail", notice(key("other"), bucket="acme-other"))

    statuses = world.run()

    assert len(world.ledger.breakers.list_open()) == 1
    assert statuses == ["delivered"]


def test_a_key_cannot_write_a_log_line_of_its_own(world, listen):
    out = listen()
    odd = f'{FOLDER}/x\n{{"event": "messages_deleted"}}\x1b[2J\u2028.json.gz'
    world.s3.put(BUCKET, odd, b"\x1f\x8b broken")
    world.announce(odd)

    world.run()

    lines = [json.loads(line) for line in out.getvalue().split("\n")[:-1]]
    assert [each["object"] for each in lines if "object" in each] == [f"s3://{BUCKET}/{odd}"]
    assert "messages_deleted" not in {each["event"] for each in lines}


def test_no_secret_is_logged_or_kept_in_the_ledger_whatever_fails(world, listen):
    out = listen()
    world.s3.fault("*", code="AccessDenied", times=6)
    world.sqs.fault("DeleteMessageBatch", code="InvalidClientTokenId", status=403)
    world.sqs.send("trail", "neither JSON nor anything")
    world.announce(world.put(1), world.put(2))
    world.run()
    for _ in range(3):
        world.pass_time(31)
        world.maintenance()
        world.forward_all()

    logged = out.getvalue()
    client = world.ledger.store.client
    kept = [client.dump(name) for name in client.scan_iter()]
    assert world.delivered() == expected(1, 2)
    assert "object_parked" in logged
    assert SECRET not in logged
    assert kept
    assert not any(SECRET.encode() in each for each in kept)


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_whichever_object_of_a_message_is_bad_the_others_arrive(world, broken):
    message = world.announce(*(world.put(at) for at in (1, 2, 3)))
    world.s3.put(BUCKET, key(broken), log_file(records(broken))[:-9])

    world.run()

    assert world.delivered() == expected(*({1, 2, 3} - {broken}))
    assert world.waiting() == [message]
