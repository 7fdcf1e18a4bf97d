"""Messages left to the queue for a full bucket: known until they come back, and handed back."""

import pytest

from tests.unit.ledger.conftest import AsksTwice, admit, claim
from trailcourier.ledger import Ledger
from trailcourier.ledger.left import EARLY, HOLD, LATER, LeftForBucket, LeftMessage
from trailcourier.ledger.outcomes import Report
from trailcourier.models import Numbers, ObjectRef, Outcome

BUCKET = "org-logs/000000000001"
SCOPE = f"bucket:prod:{BUCKET}"
LONGEST = 43_000  # seconds, nearly twelve hours


@pytest.fixture(params=["answers arrive", "answers are lost"])
def small(client, request):
    lost = request.param == "answers are lost"
    return Ledger(AsksTwice(client) if lost else client, "prod", Numbers(parked=3))


def ref(name):
    return ObjectRef(
        "org-logs", f"AWSLogs/000000000001/CloudTrail/us-east-1/2026/11/23/{name}.json.gz"
    )


def leave(ledger, *names, receives=1, hidden=LONGEST, bucket=BUCKET):
    """Leave messages to the queue; what is known of them."""
    messages = [LeftMessage(name, f"receipt-{name}", receives, bucket) for name in names]
    ledger.left.note(messages, dict.fromkeys(names, hidden))
    return messages


def park(ledger, *names):
    """Park an object of each message."""
    for name in names:
        admit(ledger, name, [ref(name)])
        ledger.outcomes.finish(claim(ledger, name), Report(Outcome("parked", "network")), jitter=1)


def open_breaker(ledger, *, failures=5):
    for at in range(failures):
        ledger.breakers.failed(SCOPE, f"o{at}", reason="access-denied", text="no", limit=failures)


def recovered(ledger):
    return [each.message for each in ledger.left.recovered(10)]


def known(ledger):
    """What is left, by bucket, and every key that says so."""
    client, own = ledger.store.client, ledger.store.own
    return ledger.left.size(), client.keys(f"{own}left*")


def test_what_was_left_is_handed_back_once_its_bucket_has_recovered(small, pass_time):
    park(small, "m0", "m1", "m2")
    leave(small, "a")
    before = recovered(small)
    small.leases.forget(["m0", "m1", "m2"])
    open_breaker(small)
    pass_time(1)

    small.breakers.succeeded(SCOPE)

    assert (before, recovered(small)) == ([], ["a"])


def test_what_is_handed_back_stays_known_until_somebody_says_that_it_is(small, pass_time):
    (left,) = leave(small, "a")
    pass_time(301)
    told, at_once = recovered(small), recovered(small)
    pass_time(HOLD / 1000 + 1)

    again = recovered(small)
    small.left.forget([left])

    assert (told, at_once, again) == (["a"], [], ["a"])
    assert known(small) == (0, [])


def test_one_that_was_left_again_meanwhile_is_not_forgotten(small, pass_time):
    (before,) = leave(small, "a")
    pass_time(301)
    recovered(small)
    newer = LeftMessage("a", "newer", 2, BUCKET)
    small.left.note([newer], {"a": LONGEST})

    small.left.forget([before])

    assert small.left.size() == 1


def test_one_that_is_held_again_is_not_handed_back(small, pass_time):
    leave(small, "a")
    admit(small, "a", [ref("a")])
    pass_time(301)

    assert recovered(small) == []
    assert known(small) == (0, [])


def test_what_was_left_without_a_breaker_is_handed_back_after_some_minutes(small, pass_time):
    leave(small, "a")
    pass_time(299)
    assert recovered(small) == []
    pass_time(2)

    assert recovered(small) == ["a"]


@pytest.mark.parametrize("receives", [1, EARLY + 1])
def test_of_what_was_left_one_is_handed_back_when_nothing_else_can_probe_the_bucket(
    small, pass_time, receives
):
    open_breaker(small, failures=1)
    leave(small, "a", receives=receives)
    leave(small, "b", receives=receives + 1)
    at_once = recovered(small)
    pass_time(31)

    probe = recovered(small)
    admit(small, probe[0], [ref("a")])

    assert (at_once, probe) == ([], ["a"])
    assert claim(small, "a")


def test_nothing_is_handed_back_while_a_parked_object_can_probe_the_bucket(small, pass_time):
    park(small, "m")
    open_breaker(small, failures=1)
    leave(small, "a")
    pass_time(31)

    assert recovered(small) == []


def deliver(ledger):
    """Note that an object of the bucket was delivered."""
    ledger.breakers.succeeded(SCOPE)


def test_one_that_was_received_often_stays_known_and_is_handed_back_to_a_bucket_that_is_well(
    small, pass_time
):
    open_breaker(small)
    leave(small, "a", receives=EARLY + 1)
    pass_time(1)
    deliver(small)
    too_early, size = recovered(small), small.left.size()
    pass_time(LATER / 1000)

    assert (too_early, size) == ([], 1)
    assert recovered(small) == ["a"]


def test_one_that_was_received_often_waits_while_one_of_its_buckets_objects_is_parked(
    small, pass_time
):
    leave(small, "a", receives=EARLY + 1)
    park(small, "m")
    pass_time(1)
    deliver(small)
    pass_time(LATER / 1000)
    beside_a_parked_one = recovered(small)

    small.leases.forget(["m"])

    assert (beside_a_parked_one, recovered(small)) == ([], ["a"])


def test_one_that_was_received_often_waits_for_a_delivery_since_it_was_left(small, pass_time):
    deliver(small)
    pass_time(1)
    leave(small, "a", receives=EARLY + 1)
    pass_time(LATER / 1000 + 1)

    assert recovered(small) == []


def test_the_brokers_clock_that_is_put_back_keeps_nothing_that_was_left(small, pass_time):
    leave(small, "a")
    leave(small, "b", receives=EARLY + 1)
    pass_time(-3600)
    deliver(small)

    assert recovered(small) == ["a", "b"]


def test_one_whose_visibility_has_ended_is_forgotten(small, pass_time):
    park(small, "m0", "m1", "m2")  # so that nothing is handed back
    leave(small, "a", hidden=1000)
    leave(small, "b", receives=EARLY + 1)
    pass_time(1001)
    recovered(small)
    first = small.left.size()
    pass_time(LONGEST)
    recovered(small)

    assert first == 1
    assert known(small) == (0, [])


def test_no_more_than_so_many_are_known_and_the_first_to_come_back_are_forgotten(
    small, monkeypatch
):
    monkeypatch.setattr("trailcourier.ledger.left.MOST", 2)
    leave(small, "a", hidden=10, bucket="others-logs")
    leave(small, "b", hidden=30)

    leave(small, "c", hidden=20)

    assert small.left.all().buckets == (LeftForBucket(BUCKET, 2, 0),)


def test_it_is_told_how_many_are_left_for_which_buckets_and_until_when(small, pass_time):
    none = small.left.all()
    leave(small, "a", "b", hidden=600)
    leave(small, "c", receives=EARLY + 1, hidden=1000)
    leave(small, "d", bucket="acme-logs", hidden=10)
    pass_time(100)

    found = small.left.all()

    assert (none.messages, none.seconds) == (0, 0)
    assert found.buckets == (LeftForBucket("acme-logs", 1, 0), LeftForBucket(BUCKET, 3, 1))
    assert (found.messages, round(found.seconds)) == (4, 900)
