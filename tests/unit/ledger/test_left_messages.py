"""Messages left to the queue for a full bucket: remembered, and released when it recovers."""

import pytest

from tests.unit.ledger.conftest import AsksTwice, admit, claim
from trailcourier.ledger import Ledger
from trailcourier.ledger.left_messages import EARLY, HOLD, LATER, LeftForBucket, LeftMessage
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import Failing
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
    """Leave messages to the queue, and return them."""
    messages = [LeftMessage(name, f"receipt-{name}", receives, bucket) for name in names]
    ledger.left.note(messages, dict.fromkeys(names, hidden))
    return messages


def park(ledger, *names):
    """Park an object of each message."""
    for name in names:
        admit(ledger, name, [ref(name)])
        ledger.outcomes.write(claim(ledger, name), Report(Outcome("parked", "network")), jitter=1)


def open_breaker(ledger, *, failures=5):
    for at in range(failures):
        ledger.breakers.count_failure(
            SCOPE, f"o{at}", reason="access-denied", text="no", limit=failures
        )


def recovered(ledger):
    return [each.message for each in ledger.left.take_recovered(10)]


def known(ledger):
    """Return what is left by bucket, and every key that holds it."""
    client, own = ledger.store.client, ledger.store.own
    return ledger.left.count(), client.keys(f"{own}left*")


@pytest.mark.parametrize(("others", "left"), [((), []), (("m",), ["big"])])
def test_a_message_that_alone_has_more_parked_than_its_bucket_may_have_is_held(small, others, left):
    """Left to the queue, it would be released as a probe again and again, until the DLQ gets it."""
    park(small, *others)
    admit(small, "big", [ref(str(at)) for at in range(5)])
    for at in range(5):
        granted = claim(small, "big", at)
        small.outcomes.write(granted, Report(Outcome("parked", "network")), jitter=1)

    assert [each.message for each in small.left.take_full(10)] == left


def test_a_left_message_is_released_once_its_bucket_has_recovered(small, pass_time):
    park(small, "m0", "m1", "m2")
    leave(small, "a")
    pass_time(HOLD / 1000 + 1)  # it may just be about to be hidden
    before = recovered(small)
    small.leases.forget(["m0", "m1", "m2"])
    open_breaker(small)
    pass_time(1)

    small.breakers.note_success(SCOPE)

    assert (before, recovered(small)) == ([], ["a"])


def test_a_released_message_stays_remembered_until_it_is_forgotten(small, pass_time):
    (left,) = leave(small, "a")
    pass_time(301)
    first, at_once = recovered(small), recovered(small)
    pass_time(HOLD / 1000 + 1)

    again = recovered(small)
    small.left.forget([left])

    assert (first, at_once, again) == (["a"], [], ["a"])
    assert known(small) == (0, [])


def test_a_message_that_was_left_again_meanwhile_is_not_forgotten(small, pass_time):
    (before,) = leave(small, "a")
    pass_time(301)
    recovered(small)
    newer = LeftMessage("a", "newer", 2, BUCKET)
    small.left.note([newer], {"a": LONGEST})

    small.left.forget([before])

    assert small.left.count() == 1


@pytest.mark.parametrize(
    ("receives", "seconds", "size"), [(1, 30, 1), (1, 61, 0), (2, 30, 0), (2, 61, 0)]
)
def test_a_leased_message_is_not_released_and_stays_remembered_while_it_is_being_left(
    small, pass_time, receives, seconds, size
):
    """The process that leaves it may die before it has done so."""
    admit(small, "a", [ref("a")], receives=receives)
    leave(small, "a")
    pass_time(seconds)
    small.breakers.count_failure(SCOPE, "o", reason="network", text="no", limit=1)
    small.breakers.note_success(SCOPE)

    assert recovered(small) == []
    assert small.left.count() == size


def test_a_message_that_is_just_being_left_is_not_released(small, pass_time):
    leave(small, "a")
    small.breakers.count_failure(SCOPE, "o", reason="network", text="no", limit=1)
    small.breakers.note_success(SCOPE)
    at_once = recovered(small)
    pass_time(HOLD / 1000 + 1)

    assert (at_once, recovered(small)) == ([], ["a"])


def test_the_bucket_with_too_many_parked_objects_is_the_one_reported(small):
    """The message has parked objects of two accounts, the first one with little."""
    other = "AWSLogs/000000000002/CloudTrail/us-east-1/2026/11/23/o.json.gz"
    admit(small, "both", [ObjectRef("org-logs", other), ref("both")])
    admit(small, "little", [ObjectRef("org-logs", other + "2")])
    park(small, "m0", "m1", "m2")
    for message, at in (("little", 0), ("both", 0), ("both", 1)):
        granted = claim(small, message, at)
        small.outcomes.write(granted, Report(Outcome("parked", "network")), jitter=1)

    assert [(each.message, each.bucket) for each in small.left.take_full(10)] == [("both", BUCKET)]


def test_a_message_left_without_an_open_breaker_is_released_after_some_minutes(small, pass_time):
    leave(small, "a")
    pass_time(299)
    assert recovered(small) == []
    pass_time(2)

    assert recovered(small) == ["a"]


@pytest.mark.parametrize(("parked", "back"), [((), 3), (("m",), 2)])
def test_no_more_messages_are_released_than_may_be_parked_again(small, pass_time, parked, back):
    """The others would be left again, and each time costs a receive."""
    leave(small, *(f"left{at}" for at in range(8)))
    pass_time(301)
    park(small, *parked)

    assert len(recovered(small)) == back


def test_messages_of_all_receives_are_released_as_far_as_they_may_be_parked_again(small, pass_time):
    leave(small, "a", "b", "c")
    leave(small, "d", "e", receives=EARLY + 1)
    pass_time(1)
    deliver(small)
    pass_time(LATER / 1000)

    assert sorted(recovered(small)) == ["a", "b", "c"]  # the bucket may have three parked


def test_no_more_messages_of_all_buckets_are_released_than_there_is_room(small, pass_time):
    for at in range(4):
        leave(small, f"a{at}", f"b{at}", bucket=f"org-logs/00000000000{at}")
    pass_time(301)

    found = [[each.message for each in small.left.take_recovered(3)] for _ in range(4)]

    assert [len(each) for each in found] == [3, 3, 2, 0]
    assert len({message for each in found for message in each}) == 8


def test_a_bucket_of_many_messages_does_not_take_the_room_of_others_every_time(small, pass_time):
    for bucket in ("org-logs/000000000001", "org-logs/000000000002"):
        leave(small, *(f"{bucket}/{at}" for at in range(3)), bucket=bucket)
    pass_time(301)

    first = [each.bucket for each in small.left.take_recovered(2)]
    pass_time(10)
    second = [each.bucket for each in small.left.take_recovered(2)]

    assert sorted({*first, *second}) == ["org-logs/000000000001", "org-logs/000000000002"]


@pytest.mark.parametrize("receives", [1, EARLY + 1])
def test_one_left_message_is_released_when_nothing_else_can_probe_the_bucket(
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


def test_nothing_is_released_while_a_parked_object_can_probe_the_bucket(small, pass_time):
    park(small, "m")
    open_breaker(small, failures=1)
    leave(small, "a")
    pass_time(31)
    beside_a_parked_one = recovered(small)
    small.parked.take_ready(10)

    assert beside_a_parked_one == recovered(small) == []  # also while it is tried again


def test_nothing_is_released_while_an_object_of_another_account_can_probe_the_bucket(
    small, pass_time
):
    """Any object of a bucket can probe the whole bucket's breaker."""
    park(small, "m")
    small.breakers.count_failure(
        "bucket:prod:org-logs", "m", reason="throttled", text="no", limit=1
    )
    leave(small, "a", bucket="org-logs/000000000002")
    pass_time(31)
    beside_a_parked_one = recovered(small)
    small.parked.take_ready(10)

    assert beside_a_parked_one == recovered(small) == []

    small.leases.forget(["m"])
    assert recovered(small) == ["a"]


def deliver(ledger):
    """Note that an object of the bucket was delivered."""
    ledger.breakers.note_success(SCOPE)


def test_a_message_received_often_is_released_once_its_bucket_is_well(small, pass_time):
    open_breaker(small)
    leave(small, "a", receives=EARLY + 1)
    pass_time(1)
    deliver(small)
    too_early, size = recovered(small), small.left.count()
    pass_time(LATER / 1000)

    assert (too_early, size) == ([], 1)
    assert recovered(small) == ["a"]


def test_a_message_received_often_waits_while_an_object_of_its_bucket_is_parked(small, pass_time):
    leave(small, "a", receives=EARLY + 1)
    park(small, "m")
    pass_time(1)
    deliver(small)
    pass_time(LATER / 1000)
    beside_a_parked_one = recovered(small)
    small.parked.take_ready(10)
    beside_one_that_is_tried_again = recovered(small)

    small.leases.forget(["m"])

    assert (beside_a_parked_one, beside_one_that_is_tried_again) == ([], [])
    assert recovered(small) == ["a"]


def test_a_message_received_often_does_not_wait_for_objects_parked_for_a_sink(small, pass_time):
    leave(small, "a", receives=EARLY + 1)
    admit(small, "m", [ref("m")])
    busy = Report(Outcome("parked", "sink-busy"), breakers=[Failing("sink:archive")])
    small.outcomes.write(claim(small, "m"), busy, jitter=1)
    pass_time(1)
    deliver(small)
    pass_time(LATER / 1000)
    small.parked.take_ready(10)

    assert recovered(small) == ["a"]


def test_a_message_received_often_waits_for_a_delivery_since_it_was_left(small, pass_time):
    deliver(small)
    pass_time(1)
    leave(small, "a", receives=EARLY + 1)
    pass_time(LATER / 1000 + 1)

    assert recovered(small) == []


def test_left_messages_are_released_after_the_brokers_clock_was_set_back(small, pass_time):
    leave(small, "a")
    leave(small, "b", receives=EARLY + 1)
    pass_time(-3600)
    deliver(small)

    assert recovered(small) == ["a", "b"]


def test_a_left_message_whose_visibility_has_ended_is_forgotten(small, pass_time):
    park(small, "m0", "m1", "m2")  # so that nothing is handed back
    leave(small, "a", hidden=1000)
    leave(small, "b", receives=EARLY + 1)
    pass_time(1001)
    recovered(small)
    first = small.left.count()
    pass_time(LONGEST)
    recovered(small)

    assert first == 1
    assert known(small) == (0, [])


def test_the_number_of_left_messages_is_limited_and_those_redelivered_first_are_forgotten(
    small, monkeypatch
):
    monkeypatch.setattr("trailcourier.ledger.left_messages.MOST", 2)
    leave(small, "a", hidden=10, bucket="others-logs")
    leave(small, "b", hidden=30)

    leave(small, "c", hidden=20)

    assert small.left.total().buckets == (LeftForBucket(BUCKET, 2, 0),)


def test_left_messages_are_counted_by_bucket_with_their_end(small, pass_time):
    none = small.left.total()
    leave(small, "a", "b", hidden=600)
    leave(small, "c", receives=EARLY + 1, hidden=1000)
    leave(small, "d", bucket="acme-logs", hidden=10)
    pass_time(100)

    found = small.left.total()

    assert (none.messages, none.seconds) == (0, 0)
    assert found.buckets == (LeftForBucket("acme-logs", 1, 0), LeftForBucket(BUCKET, 3, 1))
    assert (found.messages, round(found.seconds)) == (4, 900)
