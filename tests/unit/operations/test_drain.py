"""When a drain ends, from the ledger alone; acceptance/ drains a whole fleet."""

import json
import threading

import msgspec
import pytest
import redis

from tests.support.servers import valkey
from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.host import child_process
from trailcourier.ledger import Ledger, broker
from trailcourier.ledger.left_messages import LeftMessage
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import QuarantineEntry, entry_id
from trailcourier.ledger.scopes import Failing
from trailcourier.models import Numbers, Outcome
from trailcourier.operations import drain
from trailcourier.operations.drain import HOPELESS, DrainResult
from trailcourier.reasons import REASONS

OF_QUEUES = sorted(n for n, reason in REASONS.items() if reason.breaker in {"queue", "credentials"})
DONE = Report(Outcome("delivered"), sums={"records:in": 3, "sink:archive:delivered": 3})
ENDLESS = 60.0


@pytest.fixture(autouse=True)
def check_often(monkeypatch):
    monkeypatch.setattr(drain, "CHECK_INTERVAL", 0.01)


def run(ledgers, *steps, timeout=ENDLESS) -> DrainResult:
    """Drain, doing one of *steps* after each check; stop some checks after the last."""
    stopping, more = threading.Event(), 3 if timeout == ENDLESS else 200
    coming = [*steps, *[lambda: None] * more, stopping.set]
    if isinstance(ledgers, Ledger):
        ledgers = [ledgers]

    def watched(_progress):
        coming.pop(0)()

    return drain.drain(ledgers, timeout=timeout, stopping=stopping, watched=watched)


def quiet(ledger):
    return lambda: ledger.receives.note(something_new=False)


def news(ledger):
    return lambda: ledger.receives.note(something_new=True)


def refused(reason="corrupt", name="a"):
    (ref,) = refs(name)
    return QuarantineEntry(entry_id(ref), "object", reason, "broken", ref, "m1")


def park(ledger, reason="access-denied", breaker="bucket:prod:acme-logs", receipt="r1"):
    admit(ledger, "m1", refs("a"), receipt=receipt)
    report = Report(
        Outcome("parked", reason, "words of it"), breakers=[Failing(breaker)] * bool(breaker)
    )
    ledger.outcomes.write(claim(ledger, "m1"), report, jitter=1.0)


def fail(ledger, name, reason, text="words of it"):
    for at in range(5):
        ledger.breakers.count_failure(name, str(at), reason=reason, text=text)


def test_two_quiet_polls_and_nothing_in_hand_end_it(ledger):
    result = run(ledger, quiet(ledger), quiet(ledger))

    assert [each.drained for each in result.sources] == [True]
    assert result.why == ""


@pytest.mark.parametrize(
    "polls",
    [
        pytest.param((quiet,), id="one"),
        pytest.param((quiet, news, quiet), id="two-with-news-between"),
    ],
)
def test_fewer_quiet_polls_in_a_row_do_not(ledger, polls):
    result = run(ledger, *(poll(ledger) for poll in polls))

    assert [each.drained for each in result.sources] == [False]


def test_polls_before_it_began_do_not_count(ledger):
    quiet(ledger)()
    quiet(ledger)()

    assert not run(ledger).sources[0].drained


def test_an_object_in_flight_keeps_it_from_ending(ledger):
    admit(ledger, "retry-1", refs("a"), receipt="")  # of no message

    assert not run(ledger, quiet(ledger), quiet(ledger)).sources[0].drained


def test_a_parked_object_keeps_it_from_ending(ledger):
    park(ledger, receipt="")

    result = run(ledger, quiet(ledger), quiet(ledger))

    assert not result.sources[0].drained
    assert [(each.reason, each.ref.key) for each in result.sources[0].waiting] == [
        ("access-denied", "a")
    ]


def test_a_message_that_is_not_deleted_yet_keeps_it_from_ending(ledger):
    admit(ledger, "m1", refs("a"))
    ledger.outcomes.write(claim(ledger, "m1"), DONE, jitter=1.0)

    held = run(ledger, quiet(ledger), quiet(ledger))
    ledger.leases.forget(["m1"], "messages:deleted")
    free = run(ledger, quiet(ledger), quiet(ledger))

    assert (held.sources[0].drained, free.sources[0].drained) == (False, True)


def leave(ledger, *names):
    """Hide messages in SQS, as their bucket has too many parked objects."""
    left = [LeftMessage(name, "receipt", 1, "acme-logs/111122223333") for name in names]
    ledger.left.note(left, dict.fromkeys(names, 43_000))
    return left


def test_a_message_hidden_in_sqs_keeps_it_from_ending(ledger):
    left = leave(ledger, "m1", "m2")

    held = run(ledger, quiet(ledger), quiet(ledger)).sources[0]
    ledger.left.forget(left)
    free = run(ledger, quiet(ledger), quiet(ledger)).sources[0]

    assert (held.drained, held.left) == (False, 2)
    assert (free.drained, free.left) == (True, 0)


def test_messages_hidden_in_sqs_are_described_with_their_bucket_and_its_breaker(ledger):
    leave(ledger, "m1", "m2")
    denied = lambda: fail(ledger, "bucket:prod:acme-logs/111122223333", "access-denied")  # noqa: E731

    result = run(ledger, denied, quiet(ledger), quiet(ledger), timeout=0.1)

    assert result.why.startswith(
        "source prod is not drained, 2 messages hidden in SQS: "
        "Reads from bucket acme-logs of account 111122223333 are paused: "
    )
    assert "Reason access-denied: words of it. Allow `s3:GetObject`" in result.why
    assert "are parked: acme-logs/111122223333 (2). Workers release them when" in result.why
    assert "\n" not in result.why


def test_every_source_must_be_drained(client, ledger):
    other = Ledger(client, "dev", Numbers())

    result = run([ledger, other], quiet(ledger), quiet(ledger))
    both = run([ledger, other], quiet(ledger), quiet(ledger), quiet(other), quiet(other))

    assert [each.drained for each in result.sources] == [True, False]
    assert [each.drained for each in both.sources] == [True, True]


def test_the_counters_are_of_this_run_alone(ledger):
    admit(ledger, "m1", refs("a"))
    ledger.outcomes.write(claim(ledger, "m1"), DONE, jitter=1.0)
    ledger.leases.forget(["m1"])

    def carry():
        admit(ledger, "m2", refs("b"))
        ledger.outcomes.write(claim(ledger, "m2"), DONE, jitter=1.0)
        ledger.leases.forget(["m2"], "messages:deleted")

    found = run(ledger, carry, quiet(ledger), quiet(ledger)).sources[0]

    assert found.objects == {"named": 1, "delivered": 1}
    assert found.records == {"in": 3}
    assert found.sinks == {"archive": {"delivered": 3, "filtered": 0, "refused": 0}}
    assert found.messages == {"received": 1, "deleted": 1}


def test_objects_refused_in_this_run_are_listed_and_do_not_keep_it_from_ending(ledger, pass_time):
    ledger.quarantine.put(refused(name="before"))
    pass_time(60)

    result = run(ledger, lambda: ledger.quarantine.put(refused()), quiet(ledger), quiet(ledger))

    assert result.sources[0].drained
    assert [each.ref.key for each in result.sources[0].refused] == ["a"]


def test_an_object_an_earlier_run_refused_is_listed_once_the_queue_redelivers_it(ledger, pass_time):
    ledger.quarantine.put(refused())
    pass_time(60)

    met = run(ledger, lambda: admit(ledger, "m1", refs("a")), quiet(ledger), quiet(ledger))

    assert met.sources[0].drained
    assert [(each.ref.key, each.times) for each in met.sources[0].refused] == [("a", 2)]


def test_parked_objects_end_it_at_the_timeout_with_what_waits_for_what(ledger):
    park(ledger)

    result = run(ledger, quiet(ledger), quiet(ledger), timeout=0)

    assert result.why.startswith(
        "source prod is not drained, 1 parked object: 1 object is parked (access-denied), "
        "s3://acme-logs/a: words of it. Allow `s3:GetObject`"
    )
    assert "\n" not in result.why


def test_objects_parked_behind_an_open_breaker_are_described_by_the_breaker(ledger):
    park(ledger, "sink-full", "sink:archive")

    def open_both():
        fail(ledger, "sink:archive", "sink-full", "no room left")
        fail(ledger, "sink:of-another-source", "sink-full")

    result = run(ledger, open_both, timeout=0.1)

    assert "Reason sink-full: no room left. Make room" in result.why
    assert "of-another-source" not in result.why


def test_the_timeout_restarts_with_each_object_that_ends(ledger, monkeypatch):
    park(ledger)
    clock = [0.0]
    monkeypatch.setattr(drain.time, "monotonic", lambda: clock[0])

    def later():
        clock[0] += 8

    def end_one():
        ledger.sums.count({"objects:delivered": 1})

    assert run(ledger, later, end_one, later, end_one, later, timeout=10).why == ""
    assert run(ledger, later, later, timeout=10).why


def test_objects_in_flight_are_waited_for_beyond_the_timeout(ledger):
    park(ledger)
    admit(ledger, "m2", refs("b"))

    assert run(ledger, timeout=0).why == ""


def test_a_source_that_is_no_longer_polled_ends_it_too(ledger):
    result = run(ledger, quiet(ledger), timeout=0)

    assert "nothing can be received: There was no progress" in result.why


def test_a_fleet_may_take_a_minute_to_start_however_short_the_timeout(ledger, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(drain.time, "monotonic", lambda: clock[0])

    def later(seconds):
        def let():
            clock[0] += seconds

        return let

    assert run(ledger, later(59), timeout=1).why == ""
    assert run(ledger, later(61), timeout=1).why


@pytest.mark.parametrize("reason", sorted(HOPELESS))
def test_a_reason_that_no_retry_repairs_ends_it_at_once(ledger, reason):
    result = run(ledger, lambda: fail(ledger, "queue:prod", reason))

    advice = REASONS[reason].advice
    assert result.why.startswith(
        "source prod is not drained, nothing can be received: Receives from the queue of source "
    )
    assert result.why.endswith(f"Reason {reason}: words of it. {advice}")


def test_a_queue_that_may_recover_is_waited_for(ledger):
    down = lambda: fail(ledger, "queue:prod", "network")  # noqa: E731

    assert run(ledger, down).why == ""
    assert "Reason network: words of it" in run(ledger, down, timeout=0.1).why


def test_hopeless_is_every_named_reason_of_a_queue():
    assert sorted({*HOPELESS, "queue-error"}) == OF_QUEUES


def test_messages_that_aws_denies_deleting_end_it_at_once(ledger):
    def deny():
        admit(ledger, "m1", refs("a"))
        ledger.outcomes.write(claim(ledger, "m1"), DONE, jitter=1.0)
        denied = {"reason": "queue-denied", "text": "AccessDenied at DeleteMessage"}
        ledger.breakers.count_failure("delete:prod", "delete", limit=1, **denied)

    result = run(ledger, deny)

    assert "1 message not deleted: Deletes from the queue of source prod fail" in result.why


def test_a_drain_closes_breakers_as_something_may_be_repaired(ledger):
    park(ledger)
    fail(ledger, "queue:prod", "credentials")
    fail(ledger, "bucket:prod:acme-logs", "access-denied")

    result = run(ledger)

    assert result.why == ""
    assert ledger.breakers.list_open() == []
    assert [each.message for each in ledger.parked.take_ready(10)] == ["m1"]


def test_parked_objects_are_due_at_once(ledger):
    park(ledger, "archived", "")

    run(ledger)

    assert [each.message for each in ledger.parked.take_ready(10)] == ["m1"]


def test_a_breaker_closed_by_a_drain_notes_no_success(ledger, client):
    fail(ledger, "bucket:prod:acme-logs", "access-denied")

    run(ledger)

    assert client.hget("trailcourier:1:ok", "bucket:prod:acme-logs") is None


def test_a_broker_that_restarts_is_waited_for():
    with valkey() as running, broker.connect(running.url) as client:
        ledger = Ledger(client, "prod", Numbers())

        def restart():
            child_process.kill(running.process)
            threading.Timer(2, running.start).start()  # longer than its client retries

        result = run(ledger, restart, quiet(ledger), quiet(ledger))

    assert result.sources[0].drained


def test_a_broker_that_stays_away_is_an_error():
    with valkey() as running, broker.connect(running.url) as client:
        ledger = Ledger(client, "prod", Numbers())

        with pytest.raises(redis.ConnectionError):
            run(ledger, lambda: child_process.kill(running.process), timeout=0.2)


def test_the_result_can_be_written_as_json(ledger):
    park(ledger)
    ledger.quarantine.put(refused(name="b"))

    result = run(ledger, timeout=0)

    written = json.loads(msgspec.json.encode(result))
    assert written["sources"][0].keys() == {
        "source", "drained", "objects", "records", "sinks", "messages", "refused",
        "waiting", "left",
    }  # fmt: skip
    assert written["why"]
