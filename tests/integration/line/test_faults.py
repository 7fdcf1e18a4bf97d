"""One call that fails keeps nothing else from being done, and is said."""

import threading
from dataclasses import replace

import pytest
import redis
import structlog

from tests.integration.line.conftest import BUCKET, expected, key, log_file, records
from tests.support.issuers import Imds, Keys
from trailcourier.aws import metadata, regions, sessions
from trailcourier.aws.credentials import Credentials
from trailcourier.aws.network import Network
from trailcourier.aws.sqs import Queue
from trailcourier.line.forward import forward_object
from trailcourier.line.poll import poll
from trailcourier.operations.status import read_status
from trailcourier.reasons import REASONS


@pytest.fixture
def asked_in_vain(world):
    """A world whose queue does not answer what its redrive policy is."""
    world.sqs.fault("GetQueueAttributes", code="KmsDisabled", status=400, times=-1)
    return world


def test_a_message_that_is_not_understood_keeps_none_beside_it_waiting(asked_in_vain):
    world = asked_in_vain
    world.sqs.send("trail", "nonsense")
    world.announce(world.put(1))

    statuses = world.run()

    assert statuses == ["delivered"]
    assert world.ledger.quarantine.count() == 1


def test_a_refused_message_keeps_no_parked_object_from_its_next_try(asked_in_vain):
    world = asked_in_vain
    world.s3.put(BUCKET, key(1), b"\x1f\x8b broken")
    world.announce(key(1))
    world.s3.put(BUCKET, key(2), log_file(records(2)))
    world.s3.fault(key(2), code="AccessDenied", times=2)
    world.announce(key(2))
    world.run()
    world.pass_time(60)

    world.maintenance()

    assert world.forward_all() == ["delivered"]
    assert world.count()["messages:left"] == 1


def test_a_lease_that_was_not_extended_is_logged(world):
    world.announce(world.put(1))
    world.poll()
    world.sqs.fail_entries("ChangeMessageVisibilityBatch", code="InternalError")
    world.pass_time(301)

    with structlog.testing.capture_logs() as log:
        world.maintenance(idle=False)

    events = [(line["event"], line.get("error")) for line in log]
    assert ("queue_failed", "InternalError") in events


def test_no_poll_ends_in_a_burst_of_short_receives(make):
    world = make(numbers={"receive_wait": 1, "poll": 1})

    poll(world.line, 0, world.publish)

    assert len(world.sqs.log("ReceiveMessage")) <= 2
    assert world.ledger.receives.count_quiet() <= 2


def test_a_forward_that_waits_for_memory_ends_when_its_worker_stops(world):
    world.announce(world.put(1))
    world.poll()
    world.line.process.stopping.set()
    ended = []

    def forward():
        ended.append(forward_object(world.line, world.work[0], "task").status)

    with world.line.process.budget.take(96 << 20, before_waiting=pytest.fail):
        waiting = threading.Thread(target=forward, daemon=True)
        waiting.start()
        waiting.join(10)
        assert ended == ["pending"]


def test_credentials_that_s3_refuses_stop_the_poll_though_the_queue_takes_them(world):
    world.s3.fault("*", code="ExpiredToken", times=-1)
    for at in range(12):
        world.announce(world.put(at))

    world.poll()
    world.forward_all()
    held = [world.poll() for _ in range(3)]
    world.pass_time(31)
    world.maintenance()
    world.forward_all()
    after_a_probe = world.poll()

    assert (held, after_a_probe) == ([0, 0, 0], 0)
    assert [breaker.name for breaker in world.ledger.breakers.list_open()] == ["credentials:prod"]


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_keys_the_queue_refuses_hold_the_source_up_loudly_with_what_to_do(world, code):
    world.announce(world.put(1))
    world.sqs.fault("*", code=code, status=403, times=-1)

    with structlog.testing.capture_logs() as log:
        for _ in range(6):
            world.poll()
    held_up = read_status(world.ledger)
    asked = len(world.sqs.log("ReceiveMessage"))
    world.poll()

    opened = [(line["log_level"], line["why"]) for line in log if line["event"] == "breaker_opened"]
    assert [(level, why.partition(":")[0]) for level, why in opened] == [("error", "credentials")]
    assert code in opened[0][1]
    assert held_up.state == "paused"
    (text,) = held_up.advice
    assert text.startswith("Receives from the queue of source prod are paused")
    assert text.endswith(REASONS["credentials"].advice)
    assert len(world.sqs.log("ReceiveMessage")) == asked  # it is left alone


def test_a_hop_limit_that_is_too_small_holds_the_source_up_with_the_command(world, monkeypatch):
    """As in a container whose instance's metadata service answers, and is not heard."""
    monkeypatch.setattr(metadata, "TIMEOUT", 0.5)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    imds = Imds(Keys(), "collector", far=True)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url)
    session = sessions.make_session(
        Credentials(kind="instance-profile"),
        source="prod",
        sts_region="us-east-1",
        network=Network(),
    )
    address = regions.parse_queue_url(world.sqs.queue_url("trail"), "us-east-1")
    world.line = replace(world.line, queue=Queue(session, address, network=Network()))

    with imds.server:
        for _ in range(5):
            world.poll()

    (text,) = read_status(world.ledger).advice
    assert "/latest/api/token" in text
    assert "--http-put-response-hop-limit 2" in text
    assert world.sqs.log("ReceiveMessage") == []


def test_credentials_that_are_good_again_let_everything_go_on(world):
    world.s3.fault("*", code="ExpiredToken", times=-1)
    for at in range(12):
        world.announce(world.put(at))
    world.poll()
    world.forward_all()
    world.s3.heal()

    for _ in range(6):
        world.pass_time(31)
        world.maintenance()
        world.forward_all()
        world.run()

    assert world.waiting() == []
    assert world.delivered() == expected(*range(12))


def test_every_outcome_is_logged_the_unread_ones_too(world):
    world.s3.fault("*", code="AccessDenied", times=-1)
    for at in range(6):
        world.announce(world.put(at))
    world.poll()

    with structlog.testing.capture_logs() as log:
        world.forward_all()

    parked = [line["reason"] for line in log if line["event"] == "object_parked"]
    assert parked == ["access-denied"] * 5 + ["breaker-open"]


def test_an_object_known_as_delivered_is_logged_as_skipped(world):
    world.announce(world.put(1))
    world.run()
    world.announce(key(1))

    with structlog.testing.capture_logs() as log:
        world.run()

    skipped = [
        (line["event"], line["reason"]) for line in log if line["event"] == "objects_skipped"
    ]
    assert skipped == [("objects_skipped", "already-delivered")]


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchKey", "KMS.DisabledException"])
def test_an_answer_that_only_good_credentials_get_closes_their_breaker(world, code):
    """Else a source whose parked objects are all denied would never receive again."""
    world.s3.fault("*", code="ExpiredToken", times=-1)
    for at in range(6):
        world.announce(world.put(at))
    world.run()
    opened = [each.name for each in world.ledger.breakers.list_open()]
    world.s3.heal()
    world.s3.fault("*", code=code, times=-1)
    for _ in range(6):
        world.pass_time(31)
        world.maintenance()
        world.forward_all()

    assert opened == ["credentials:prod"]
    assert "credentials:prod" not in [each.name for each in world.ledger.breakers.list_open()]


def breaker_events(log):
    names = ("breaker_opened", "breaker_closed")
    return [(line["event"], line["breaker"]) for line in log if line["event"] in names]


def test_a_breaker_of_a_bucket_logs_once_that_it_opens_and_that_it_closes(world):
    world.s3.fault("*", code="AccessDenied", times=-1)
    for at in range(8):
        world.announce(world.put(at))

    with structlog.testing.capture_logs() as log:
        world.run()
        world.s3.heal()
        for _ in range(4):
            world.pass_time(31)
            world.maintenance()
            world.forward_all()

    bucket = f"bucket:prod:{BUCKET}/111122223333"
    assert world.delivered() == expected(*range(8))
    assert breaker_events(log) == [("breaker_opened", bucket), ("breaker_closed", bucket)]


@pytest.mark.parametrize("action", ["ReceiveMessage", "DeleteMessageBatch"])
def test_a_breaker_of_a_queue_logs_once_that_it_opens_and_that_it_closes(world, action):
    world.sqs.fault(action, code="AccessDenied", status=403, times=5)
    world.announce(world.put(1))

    with structlog.testing.capture_logs() as log:
        for _ in range(12):
            world.run()
            world.pass_time(31)
            world.maintenance()

    events = breaker_events(log)
    assert world.waiting() == []
    assert [event for event, _ in events] == ["breaker_opened", "breaker_closed"]
    assert {name for _, name in events} <= {"queue:prod", "delete:prod"}


@pytest.mark.parametrize(
    ("part", "method"), [("breakers", "note_success"), ("leases", "admit"), ("sums", "count")]
)
def test_messages_received_as_the_ledger_goes_away_come_again_at_once(
    world, monkeypatch, part, method
):
    world.announce(world.put(1))

    def gone(*_args, **_options):
        raise redis.ConnectionError("gone")

    with monkeypatch.context() as away:
        away.setattr(getattr(world.ledger, part), method, gone)
        with pytest.raises(redis.ConnectionError):
            world.poll()

    assert world.poll() == 1
    assert world.forward_all() in (["delivered"], [])  # []: leased, which maintenance makes good
