"""A fault has the scope of its cause: object, account, key, bucket, host, sink."""

import msgspec
import pytest

from tests.unit.ledger.conftest import admit, claim
from trailcourier.errors import Fault
from trailcourier.ledger import Ledger
from trailcourier.ledger.left_messages import LeftMessage
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import Failing, breakers_of_fault, breakers_of_read
from trailcourier.models import Numbers, ObjectRef, Outcome

SCOPE = "bucket:prod:org-logs/000000000001"
KEY = "arn:aws:kms:us-east-1:111122223333:key/0d0f0000-0000-4000-8000-000000000000"


def of(account: int, name: object = "f") -> ObjectRef:
    folder = f"AWSLogs/{account:012}/CloudTrail/us-east-1/2026/11/23"
    return ObjectRef("org-logs", f"{folder}/{name}.json.gz")


def denied(ref: ObjectRef, reason: str = "access-denied", detail: str = "no") -> Report:
    breakers = breakers_of_fault("prod", Fault(reason, detail, where="siem"), ref)
    return Report(Outcome("parked", reason, detail), breakers=breakers)


def end(ledger, message, ref, report, host=""):
    """Admit one object, end it with *report*, and return the ledger's answer."""
    return end_all(ledger, [(message, ref, report)], host)[0]


def end_all(ledger, tried, host=""):
    """Do the same with several objects, all claimed before the first of them ends."""
    for message, ref, _ in tried:
        admit(ledger, message, [ref])
    claims = [claim(ledger, message) for message, _, _ in tried]
    return [
        ledger.outcomes.write(held, report, jitter=1, host=host)
        for held, (_, _, report) in zip(claims, tried, strict=True)
    ]


def names(ledger):
    return [each.name for each in ledger.breakers.list_open()]


def test_denied_files_of_one_account_hold_up_only_that_account(ledger):
    end_all(ledger, [(f"m{at}", of(1, at), denied(of(1, at))) for at in range(6)])

    assert names(ledger) == ["bucket:prod:org-logs/000000000001"]
    admit(ledger, "good", [of(2)])
    assert claim(ledger, "good")


def test_files_of_two_accounts_without_a_success_between_hold_up_the_bucket(ledger):
    end_all(ledger, [(f"m{at}", of(at % 2, at), denied(of(at % 2, at))) for at in range(6)])

    assert "bucket:prod:org-logs" in names(ledger)


def test_a_success_of_another_account_keeps_the_bucket_open_to_it(ledger):
    good = Report(Outcome("delivered"), succeeded=breakers_of_read("prod", of(3)))
    tried = [
        each
        for at in range(12)
        for each in (
            (f"m{at}", of(at % 2, at), denied(of(at % 2, at))),
            (f"g{at}", of(3, at), good),
        )
    ]

    end_all(ledger, tried)

    assert names(ledger) == [f"bucket:prod:org-logs/00000000000{at}" for at in (0, 1)]


def test_objects_of_one_kms_key_wait_together_and_one_success_releases_them(ledger, pass_time):
    report = [denied(of(at, at), "kms", f"not allowed: {KEY}") for at in range(5)]
    end_all(ledger, [(f"m{at}", of(at, at), report[at]) for at in range(5)])
    assert f"kms:prod:{KEY}" in names(ledger)
    opened = {each.breaker for each in ledger.parked.list_some(10)}
    assert opened == {f"kms:prod:{KEY}"}

    pass_time(6)
    (due,) = ledger.parked.take_ready(10)
    ledger.breakers.reset("bucket:prod:org-logs")
    probe = claim(ledger, due.message, generation=due.generation)
    done = Report(Outcome("delivered"), succeeded=breakers_of_read("prod", due.ref))
    written = ledger.outcomes.write(probe, done, jitter=1)

    assert f"kms:prod:{KEY}" in written.closed
    assert [len(ledger.parked.take_ready(10)) for _ in range(3)] == [1, 2, 1]


def test_a_probe_that_fails_closes_no_breaker_of_its_key(ledger, pass_time):
    """S3 accepts the credentials, which is a success of theirs and not of the key."""
    report = [denied(of(at, at), "kms", f"not allowed: {KEY}") for at in range(5)]
    end_all(ledger, [(f"m{at}", of(at, at), report[at]) for at in range(5)])
    pass_time(6)
    (due,) = ledger.parked.take_ready(10)
    ledger.breakers.reset("bucket:prod:org-logs")
    probe = claim(ledger, due.message, generation=due.generation)
    again = msgspec.structs.replace(report[0], succeeded=["credentials:prod"])

    assert ledger.outcomes.write(probe, again, jitter=1).closed == []
    assert f"kms:prod:{KEY}" in names(ledger)


def full_disk(ref):
    return denied(ref, "sink-full", "no space left on device")


def test_a_full_disk_of_one_host_of_two_holds_up_that_host_alone(ledger):
    ledger.workers.note_heartbeat("objects@sick/1", 8)
    ledger.workers.note_heartbeat("objects@well/1", 8)

    answers = [
        end(ledger, f"m{at}", of(1, at), full_disk(of(1, at)), host="sick").host_breaker
        for at in range(6)
    ]

    assert answers == [*[""] * 4, "sink:siem@sick", "sink:siem@sick"]
    assert names(ledger) == ["sink:siem@sick"]
    assert {each.breaker for each in ledger.parked.list_some(10)} == {"sink:siem"}


def test_a_second_host_that_fails_alike_makes_it_the_sinks_fault(ledger):
    ledger.workers.note_heartbeat("objects@one/1", 8)
    ledger.workers.note_heartbeat("objects@two/1", 8)

    for at in range(10):
        end(ledger, f"m{at}", of(1, at), full_disk(of(1, at)), host=("one", "two")[at % 2])

    assert names(ledger) == ["sink:siem"]


def test_with_one_host_alone_it_is_the_sinks_fault_at_once(ledger):
    ledger.workers.note_heartbeat("objects@one/1", 8)

    for at in range(5):
        end(ledger, f"m{at}", of(1, at), full_disk(of(1, at)), host="one")

    assert names(ledger) == ["sink:siem"]


def test_a_success_on_a_host_closes_its_own_breaker_and_not_another_hosts(ledger):
    ledger.workers.note_heartbeat("objects@sick/1", 8)
    ledger.workers.note_heartbeat("objects@well/1", 8)
    for at in range(5):
        end(ledger, f"m{at}", of(1, at), full_disk(of(1, at)), host="sick")
    good = Report(Outcome("delivered"), succeeded=["sink:siem"])

    elsewhere = end(ledger, "g1", of(2, 1), good, host="well")
    still = names(ledger)
    there = end(ledger, "g2", of(2, 2), good, host="sick")

    assert (elsewhere.closed, still) == ([], ["sink:siem@sick"])
    assert (there.closed, names(ledger)) == (["sink:siem@sick"], [])


def test_scopes_take_turns_so_that_a_large_one_keeps_no_other_waiting(ledger, pass_time):
    for at in range(4):
        end(ledger, f"m{at}", of(1, at), Report(Outcome("parked", "archived", "glacier")))
    for at in range(4):
        end(ledger, f"n{at}", of(2, at), denied(of(2, at)))
    pass_time(100)

    taken = [due.message[0] for _ in range(4) for due in ledger.parked.take_ready(1)]

    assert sorted(taken) == ["m", "m", "n", "n"]


@pytest.fixture
def small(client):
    return Ledger(client, "prod", Numbers(parked=3))


def test_a_message_that_exceeds_its_buckets_cap_is_reported_once_and_frees_it(small):
    admit(small, "small", [of(1, 9)])
    small.outcomes.write(claim(small, "small"), denied(of(1, 9)), jitter=1)
    admit(small, "large", [of(1, at) for at in range(4)])
    for at in range(4):
        small.outcomes.write(claim(small, "large", at), denied(of(1, at)), jitter=1)

    (full,) = small.left.take_full(10)
    small.leases.forget([full.message, "small"])

    assert (full.message, full.bucket) == ("large", "org-logs/000000000001")
    assert small.left.take_full(10) == []
    assert small.room.count_in_hand() == (0, 0, 0)
    assert small.store.client.hgetall(f"{small.store.own}buckets") == {}


def test_a_bucket_at_its_cap_of_parked_objects_takes_no_more_and_others_do(small):
    admit(small, "m", [of(1, at) for at in range(3)])
    for at in range(3):
        small.outcomes.write(claim(small, "m", at), denied(of(1, at)), jitter=1)

    assert admit(small, "n", [of(1, 9)]).kind == "full"
    assert admit(small, "o", [of(2, 9)]).kind == "work"


IN_DOUBT = Report(Outcome("parked", "sink-rejects-all"), waits_for="sink:siem")
OF_A_HOST = Report(Outcome("parked", "sink-full"), breakers=[Failing("sink:siem", here=True)])


@pytest.mark.parametrize("report", [None, IN_DOUBT, OF_A_HOST])
def test_objects_parked_for_a_sink_fill_no_bucket(small, report):
    for host in ("sick", "well"):
        small.workers.note_heartbeat(f"objects@{host}/1", 8)
    admit(small, "m", [of(1, at) for at in range(5)])
    down = report or denied(of(1), "sink-busy", "slow down")
    for at in range(5):
        small.outcomes.write(claim(small, "m", at), down, jitter=1, host="sick")

    assert small.left.take_full(10) == []
    assert admit(small, "n", [of(1, 9)]).kind == "work"


@pytest.mark.parametrize("reason", ["access-denied", "no-such-bucket"])
def test_a_breaker_without_waiting_objects_closes(ledger, pass_time, reason):
    end_all(ledger, [(f"m{at}", of(at % 2, at), denied(of(at % 2, at), reason)) for at in range(6)])
    opened = names(ledger)
    ledger.leases.forget([f"m{at}" for at in range(5)], "leases:given-up")
    waited_for = names(ledger)

    ledger.leases.forget(["m5"], "leases:given-up")

    assert "bucket:prod:org-logs" in opened
    assert "bucket:prod:org-logs" in waited_for
    assert names(ledger) == []


def test_the_breaker_of_a_bucket_with_left_messages_stays_open(ledger):
    end_all(ledger, [(f"m{at}", of(1, at), denied(of(1, at))) for at in range(6)])
    left = LeftMessage("left", "receipt", 1, "org-logs/000000000001")
    ledger.left.note([left], {"left": 43_000})

    ledger.leases.forget([f"m{at}" for at in range(6)], "messages:full")

    assert names(ledger) == [SCOPE]


def test_a_stale_host_does_not_make_a_fault_the_sinks(ledger, pass_time):
    for host in ("gone", "two", "three"):
        ledger.workers.note_heartbeat(f"objects@{host}/1", 8)
    for at in range(5):
        end(ledger, f"m{at}", of(1, at), full_disk(of(1, at)), host="gone")
    ledger.workers.remove("objects@gone/1")

    for at in range(5):
        end(ledger, f"n{at}", of(2, at), full_disk(of(2, at)), host="two")

    assert names(ledger) == ["sink:siem@gone", "sink:siem@two"]


def test_the_breaker_of_a_stale_host_is_removed(ledger, pass_time):
    ledger.workers.note_heartbeat("objects@gone/1", 8)
    ledger.workers.note_heartbeat("objects@here/1", 8)
    for at in range(5):
        end(ledger, f"m{at}", of(1, at), full_disk(of(1, at)), host="gone")
    ledger.breakers.sweep()
    still = names(ledger)
    pass_time(700)
    ledger.workers.note_heartbeat("objects@here/1", 8)

    ledger.breakers.sweep()

    assert (still, names(ledger)) == (["sink:siem@gone"], [])


def test_old_failures_are_forgotten(ledger, client, pass_time):
    for at in range(20):
        ledger.breakers.count_failure(f"bucket:prod:made-up-{at}", "o", reason="network", text="")
    client.delete(*client.keys("*:f"))  # as the server does after two hours
    ledger.breakers.count_failure("bucket:prod:new", "o", reason="network", text="")

    ledger.breakers.sweep()

    assert client.smembers("trailcourier:1:failing") == {b"bucket:prod:new"}


def test_two_open_breakers_of_one_object_do_not_wait_for_each_others_probes(ledger, pass_time):
    sinks = ("siem", "archive")
    for at, sink in enumerate(sinks):
        admit(ledger, f"m{at}", [of(1, at)])
        busy = Report(Outcome("parked", "sink-busy"), breakers=[Failing(f"sink:{sink}")])
        ledger.outcomes.write(claim(ledger, f"m{at}"), busy, jitter=1)
        ledger.breakers.count_failure(f"sink:{sink}", "x", reason="sink-busy", text="", limit=1)
    pass_time(31)

    kinds = [
        ledger.claims.claim(
            due.message, due.index, due.generation, token=due.message, task_id="t", sinks=sinks
        ).kind
        for due in ledger.parked.take_ready(10)
    ]

    assert kinds == ["go", "go"]
