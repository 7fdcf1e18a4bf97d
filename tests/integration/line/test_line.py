"""From a message in the queue to records in files and no message in the queue."""

import json
import threading

import pytest

from tests.integration.line.conftest import (
    BUCKET,
    FOLDER,
    expected,
    key,
    log_file,
    notice,
    records,
)
from tests.support.fleet import until
from trailcourier.ledger.store import object_id
from trailcourier.line import poll
from trailcourier.line.forward import Forwarded, forward_object
from trailcourier.line.object_rules import ObjectRules
from trailcourier.line.settle import settle
from trailcourier.models import ObjectRef


def test_every_record_of_every_object_is_delivered_and_the_message_deleted(world):
    world.announce(world.put(1), world.put(2))
    world.announce(world.put(3))

    statuses = world.run()

    assert statuses == ["delivered"] * 3
    assert world.delivered() == expected(1, 2, 3)
    assert world.waiting() == []


def test_one_receive_is_one_chord(world):
    for at in range(10):
        world.announce(world.put(at))

    world.poll()

    assert [size for size, _ in world.chords] == [10]


def test_a_chord_has_at_most_200_headers(world):
    world.announce(*(world.put(at) for at in range(450)))

    world.poll()

    assert [size for size, _ in world.chords] == [200, 200, 50]


def test_a_message_with_one_bad_file_of_three_redoes_one_file(world):
    world.s3.put(BUCKET, key(2), b"\x1f\x8b broken")
    message = world.announce(world.put(1), key(2), world.put(3))

    statuses = world.run()
    world.s3.put(BUCKET, key(2), log_file(records(2)))
    entry = world.ledger.quarantine.entries()[0]
    world.ledger.quarantine.drop(entry.id)
    world.pass_time(61)
    again = world.run()

    assert statuses == ["delivered", "refused", "delivered"]
    assert (entry.reason, entry.message, entry.ref.key) == ("corrupt", message, key(2))
    assert again == ["delivered"]
    assert world.delivered() == expected(1, 2, 3)
    assert world.waiting() == []


def test_a_refused_message_stays_and_is_not_read_again(world):
    world.s3.put(BUCKET, key(1), b"\x1f\x8b broken")
    message = world.announce(key(1))

    world.run()
    world.pass_time(61)
    came = world.poll()

    assert came == 1
    assert world.work == []
    assert world.s3.reads()[key(1)] == 1
    assert world.waiting() == [message]


def test_a_refused_message_is_kept_away_twice_as_long_each_time(world):
    world.s3.put(BUCKET, key(1), b"\x1f\x8b broken")
    world.announce(key(1))
    hidden_for = world.hidden_for()
    world.run()

    for _ in range(4):
        world.pass_time(1000)
        assert world.poll() == 1

    assert hidden_for == [60, 120, 240, 480, 900]


def test_a_message_that_is_not_understood_stays_and_is_quarantined_once(world):
    message = world.sqs.send("trail", "neither JSON nor anything")[0]

    world.poll()
    world.pass_time(61)
    world.poll()

    entries = world.ledger.quarantine.entries()
    assert [(e.kind, e.reason, e.message) for e in entries] == [
        ("message", "not-understood", message)
    ]
    assert world.waiting() == [message]
    assert world.count()["messages:refused:not-understood"] == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param("CloudTrail validation message.", "cloudtrail-validation", id="validation"),
        pytest.param(
            json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}),
            "s3-test-event",
            id="test-event",
        ),
    ],
)
def test_a_message_that_announces_no_log_is_deleted_unread_and_counted(world, body, kind):
    world.sqs.send("trail", body)

    world.poll()

    assert world.waiting() == []
    assert world.count()[f"messages:unread:{kind}"] == 1


def test_a_digest_is_skipped_without_a_read_and_its_message_deleted(world):
    digest = key(1).replace("CloudTrail", "CloudTrail-Digest")
    world.announce(digest)

    world.run()

    assert world.waiting() == []
    assert not world.s3.reads()
    assert world.count()["objects:skipped:digest"] == 1


def test_a_hundred_skips_of_one_reason_in_a_row_are_counted(world):
    for at in range(100):
        world.announce(key(at).replace("CloudTrail", "CloudTrail-Digest"))

    while world.poll():
        pass

    assert world.ledger.sums.read_skip_run() == ("digest", 100)


def test_a_bucket_outside_the_allow_list_is_refused_unread(make):
    world = make(rules=ObjectRules(buckets=("acme-*",)))
    message = world.sqs.send("trail", notice(key(1), bucket="evil-logs"))[0]

    world.run()

    assert not world.s3.reads()
    assert world.waiting() == [message]
    assert [e.reason for e in world.ledger.quarantine.entries()] == ["bucket-not-allowed"]


def test_an_object_announced_twice_is_read_once(world):
    world.put(1)
    world.announce(key(1))
    world.announce(key(1))

    world.run()
    world.maintenance()
    world.forward_all()

    assert world.delivered() == expected(1)
    assert world.s3.reads()[key(1)] == 1
    assert world.waiting() == []


def test_a_message_delivered_twice_at_once_is_worked_on_once(world):
    world.sqs.deliver_twice("trail")
    world.announce(world.put(1))

    world.poll()
    world.poll()

    assert len(world.work) == 1


def test_what_the_filter_drops_is_counted_by_rule_and_the_message_deleted(make):
    world = make(
        find_dropping_rules=lambda batch: ["reads" if b'-0"' in each else None for each in batch]
    )
    world.announce(world.put(1))

    world.run()

    assert world.delivered() == expected(1)[1:]
    assert world.waiting() == []
    sums = world.count()
    assert (sums["records:in"], sums["records:filtered:reads"]) == (3, 1)
    assert sums["sink:archive:delivered"] == 2


def test_a_file_without_records_is_delivered_with_none(world):
    world.announce(world.put(1, count=0))

    assert world.run() == ["delivered"]
    assert world.count()["records:in"] == 0
    assert world.waiting() == []


def test_a_missing_object_is_refused_at_the_third_try(world):
    message = world.announce(key("gone"))
    world.s3.put(BUCKET, key("other"), b"")
    statuses = world.run()

    for _ in range(2):
        world.pass_time(31)
        world.maintenance()
        statuses += world.forward_all()

    assert statuses == ["parked", "parked", "refused"]
    assert world.waiting() == [message]
    assert world.ledger.quarantine.entries()[0].reason == "no-such-key"


def test_a_bucket_that_fails_is_left_alone_and_others_go_on(world):
    world.s3.fault("*", code="AccessDenied", times=-1)
    for at in range(8):
        world.announce(world.put(at))

    world.poll()
    statuses = world.forward_all()
    reads = sum(world.s3.reads().values())
    world.s3.heal()
    world.pass_time(31)
    world.maintenance()
    probe = len(world.work)
    world.forward_all()
    for _ in range(3):  # one, two, four
        world.maintenance()
        world.forward_all()

    assert statuses == ["parked"] * 8
    assert reads <= 5 * 3  # each of five objects: obstore's tries and the read that learns why
    assert probe == 1
    assert world.delivered() == expected(*range(8))
    assert world.waiting() == []


def test_in_an_outage_no_message_is_received_again(world):
    world.s3.fault("*", code="AccessDenied", times=-1)
    world.announce(world.put(1))
    world.run()

    for _ in range(6):
        world.pass_time(299)
        world.poll()
        world.maintenance()
        world.forward_all()
    world.s3.heal()
    for _ in range(5):
        world.pass_time(299)
        world.poll()
        world.maintenance()
        world.forward_all()

    assert world.delivered() == expected(1)
    assert world.waiting() == []
    received = [id_ for entry in world.sqs.log("ReceiveMessage") for id_ in entry.ids]
    assert len(received) == 1


def test_a_lease_twelve_hours_old_is_let_go_and_admitted_again(world):
    world.s3.fault("*", code="AccessDenied", times=-1)
    world.announce(world.put(1))
    world.run()

    for _ in range(150):
        world.pass_time(290)
        world.maintenance()
        world.forward_all()
    world.s3.heal()
    for _ in range(12):
        world.pass_time(290)
        world.run()
        world.maintenance()
        world.forward_all()

    assert world.count()["leases:given-up"] == 1
    assert world.delivered() == expected(1)
    assert world.waiting() == []
    received = [id_ for entry in world.sqs.log("ReceiveMessage") for id_ in entry.ids]
    assert len(received) == 2


def test_a_lost_forward_is_dispatched_again(world):
    world.announce(world.put(1))
    world.poll()
    world.work.clear()  # the broker lost it

    world.pass_time(11)

    assert world.maintenance() == 1
    assert [work.generation for work in world.work] == [2]
    assert world.forward_all() == ["delivered"]
    assert world.waiting() == []


def test_a_message_whose_chord_never_called_back_is_settled(world):
    world.announce(world.put(1))
    world.poll()
    work = world.work.pop()

    assert forward_object(world.line, work, "task").settle  # and the worker died here

    world.pass_time(11)

    assert world.maintenance() == 0  # nothing had to be carried again
    assert world.waiting() == []


def test_a_settle_says_how_many_messages_it_settled_and_a_forward_why_not(world):
    world.announce(world.put(1))
    world.announce(world.put(2))
    world.s3.put(BUCKET, key(3), b"no log file")
    world.announce(key(3))
    world.poll()

    texts = [forward_object(world.line, work, work.message).text for work in world.work]

    assert texts == ["delivered", "delivered", "refused: unparseable"]
    assert settle(world.line, None) == 3
    assert settle(world.line, None) == 0


def test_work_lost_four_times_gives_the_message_back(world):
    message = world.announce(world.put(1))
    world.poll()

    for _ in range(4):
        world.work.clear()
        world.pass_time(11)
        world.maintenance()
    came = world.poll()

    assert came == 1
    assert [work.message for work in world.work] == [message]
    assert world.count()["leases:released"] == 1


def test_without_permission_to_extend_the_line_works_with_longer_leases(world):
    world.sqs.fault("ChangeMessageVisibilityBatch", code="AccessDenied", status=403, times=-1)
    world.s3.put(BUCKET, key(1), b"\x1f\x8b broken")
    world.announce(key(1))
    world.announce(world.put(2))

    world.run()
    world.announce(world.put(3))
    world.run()

    assert world.ledger.mode.is_degraded()
    assert world.delivered() == expected(2, 3)
    held = world.ledger.leases
    assert held.take_expiring() == []


def test_a_delete_that_failed_is_done_by_maintenance(world):
    world.sqs.fail_entries("DeleteMessageBatch")
    world.announce(world.put(1))

    world.run()
    left = world.waiting()
    world.pass_time(11)
    world.maintenance()

    assert len(left) == 1
    assert world.waiting() == []


def test_a_delete_whose_handle_is_lost_drops_the_lease_and_the_redelivery_is_cheap(world):
    world.sqs.fail_entries("DeleteMessageBatch", code="ReceiptHandleIsInvalid")
    world.announce(world.put(1))

    world.run()
    world.pass_time(601)
    world.poll()

    assert world.work == []
    assert world.s3.reads()[key(1)] == 1
    assert world.waiting() == []


def test_a_queue_that_fails_five_times_is_probed_every_half_minute(world):
    world.sqs.fault("ReceiveMessage", code="AccessDenied", status=403, times=-1)

    for _ in range(10):
        world.poll()
    asked = len(world.sqs.log("ReceiveMessage"))
    world.pass_time(31)
    world.poll()

    assert asked == 5
    assert len(world.sqs.log("ReceiveMessage")) == 6
    assert [b.name for b in world.ledger.breakers.list_open()] == ["queue:prod"]


def test_no_more_is_received_than_the_fleet_can_start(make):
    world = make(numbers={"in_flight": 5})
    for at in range(20):
        world.announce(world.put(at))

    world.poll()

    assert len(world.work) == 5


@pytest.mark.parametrize(
    ("patience", "taken"),
    [pytest.param(0.1, 3, id="and then taken"), pytest.param(60, 2, id="rather than taken")],
)
def test_little_room_is_waited_for(make, monkeypatch, patience, taken):
    monkeypatch.setattr("trailcourier.line.poll.PATIENCE", patience)
    world = make(numbers={"in_flight": 3, "poll": 1, "receive_wait": 0})
    world.announce(world.put(0), world.put(1))
    world.poll()
    world.announce(world.put(2))

    poll.poll(world.line, 0, world.publish)

    assert len(world.work) == taken


def test_a_key_is_a_name_and_never_a_path(world):
    odd = f"{FOLDER}/{'../' * 30}etc/a+b%2Bc d=e:ü.json.gz"
    world.s3.put(BUCKET, odd, log_file(records("odd")))
    world.announce(odd)

    assert world.run() == ["delivered"]
    assert world.delivered() == expected("odd")
    assert all(world.output in path.resolve().parents for path in world.output.rglob("*.ndjson"))


@pytest.mark.parametrize("inside", ["alone", "shared"])
def test_a_forward_that_waits_for_others_of_its_process_stops_with_the_worker(world, inside):
    """One object runs alone, or others run where one has to run alone."""
    world.announce(world.put(1))
    world.poll()
    (work,) = world.work
    if inside == "shared":
        world.ledger.store.client.hset(
            f"{world.ledger.store.own}o:".encode() + object_id(ObjectRef(BUCKET, key(1))), "s", 3
        )
    stopping, ends = world.line.process.stopping, []
    with getattr(world.line.process.gate, inside)():
        forward = threading.Thread(
            target=lambda: ends.append(forward_object(world.line, work, "task")),
            daemon=True,
        )
        forward.start()
        until(lambda: len(world.line.process.gate._turns))
        stopping.set()
        forward.join(10)

    stopping.clear()
    assert ends == [Forwarded("pending", "stopping")]
    assert world.forward(work).status == "delivered"
