"""Admission of a message, by the objects it names and by whether it was received before."""

import pytest

from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.admission import NamedObject
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import QuarantineEntry, entry_id
from trailcourier.ledger.store import content_digest
from trailcourier.models import Message, Numbers, ObjectRef, Outcome

E1 = ObjectRef("acme-logs", "a", etag="e1")
ODD = ObjectRef("acme-logs", "copies/a.json.gz", etag="e1")
DELIVERED = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))
UNKNOWN = Outcome("refused", "unknown-key")


def entry(ref):
    return QuarantineEntry(entry_id(ref), "object", "corrupt", "broken", ref)


def receive(ledger, message, named, *, receives=1, sent=1000, non_create=0):
    return ledger.leases.admit(
        Message(message, f"receipt-{receives}", "", receives, sent),
        [each if isinstance(each, NamedObject) else NamedObject(each) for each in named],
        visibility=600,
        non_create=non_create,
    )


def end(ledger, message, outcome, *, index=0, etag="e1"):
    held = claim(ledger, message, index)
    report = Report(outcome, etag=etag)
    if outcome.status == "delivered":
        report = Report(outcome, etag=etag, delivered=content_digest(etag))
    return ledger.outcomes.write(held, report, jitter=1, entry=entry(held.ref))


def leave(ledger, *messages):
    ledger.leases.forget(messages, "messages:left")


def refuse(ledger, message, ref, **how):
    receive(ledger, message, [ref], **how)
    end(ledger, message, Outcome("refused", "corrupt"))
    leave(ledger, message)


def deliver(ledger, message, ref, etag="e1"):
    receive(ledger, message, [ref])
    end(ledger, message, Outcome("delivered"), etag=etag)
    ledger.leases.forget([message], "messages:deleted")


def objects(ledger):
    sums = ledger.sums.read()
    return {name[8:]: by for name, by in sums.items() if name.startswith("objects:")}


# an object in quarantine


def test_a_refused_object_is_not_read_again_for_the_message_it_came_with(ledger):
    refuse(ledger, "m", E1)

    kinds = [receive(ledger, "m", [E1], receives=at).kind for at in (2, 3, 4)]

    assert kinds == ["quarantined"] * 3
    (held,) = ledger.quarantine.entries()
    assert (held.times, held.messages) == (4, ("m",))
    assert objects(ledger) == {"named": 1, "refused:corrupt": 1}


def test_a_refused_object_is_read_again_for_a_new_message(ledger):
    refuse(ledger, "m", E1)

    admitted = receive(ledger, "n", [E1])
    end(ledger, "n", Outcome("refused", "corrupt"))
    leave(ledger, "n")

    assert (admitted.kind, admitted.indices) == ("work", (0,))
    (held,) = ledger.quarantine.entries()
    assert (held.times, held.messages, held.messages_in_all) == (2, ("m", "n"), 2)
    assert receive(ledger, "n", [E1], receives=2).kind == "quarantined"
    assert receive(ledger, "m", [E1], receives=2).kind == "quarantined"


@pytest.mark.parametrize(
    ("receives", "sent", "kind"),
    [
        pytest.param(6, 1000, "quarantined", id="received once more"),
        pytest.param(1, 1000, "work", id="counted from one"),
        pytest.param(5, 1000, "work", id="counted as before"),
        pytest.param(6, 2000, "work", id="sent anew"),
    ],
)
def test_a_message_moved_back_under_its_id_is_a_new_message(ledger, receives, sent, kind):
    refuse(ledger, "m", E1)
    for at in (2, 3, 4, 5):
        receive(ledger, "m", [E1], receives=at)

    assert receive(ledger, "m", [E1], receives=receives, sent=sent).kind == kind


def test_dropping_one_entry_of_a_message_has_only_that_object_read_again(ledger):
    a, b = ObjectRef("acme-logs", "a", etag="e1"), ObjectRef("acme-logs", "b", etag="e1")
    receive(ledger, "m", [a, b])
    for index in (0, 1):
        end(ledger, "m", Outcome("refused", "corrupt"), index=index)
    leave(ledger, "m")
    ledger.quarantine.drop(entry_id(b))

    admitted = receive(ledger, "m", [a, b], receives=2)

    assert (admitted.kind, admitted.indices, admitted.refused_before) == ("work", (1,), (0,))


def test_an_object_whose_details_were_evicted_is_still_in_quarantine(client, ledger):
    small = Ledger(client, "prod", Numbers(quarantine_entries=1))
    small.store.client = ledger.store.client
    refuse(small, "m", E1)
    refuse(small, "n", ObjectRef("acme-logs", "b", etag="e1"))

    assert small.quarantine.count_evicted() == 1
    assert receive(small, "m", [E1], receives=2).kind == "quarantined"


def test_a_message_that_comes_back_after_fifteen_days_is_read_again(ledger, pass_time):
    refuse(ledger, "m", E1)
    pass_time(15 * 86_400 + 1)
    refuse(ledger, "n", ObjectRef("acme-logs", "b", etag="e1"))  # sweeps
    ledger.quarantine.drop(entry_id(E1))
    refuse(ledger, "o", E1)

    assert receive(ledger, "m", [E1], receives=2).kind == "work"


def test_the_number_of_remembered_returned_messages_is_limited(ledger, client):
    key, times = (b"trailcourier:1:s:prod:back", b"trailcourier:1:s:prod:backt")
    now = ledger.store.read_clock()
    client.hset(key, mapping={f"old-{at}": "1|0|1" for at in range(20_000)})
    client.zadd(times, {f"old-{at}": now - at for at in range(20_000)})

    refuse(ledger, "m", E1)

    assert client.hlen(key) == client.zcard(times) == 20_000
    assert client.hget(key, "m")
    assert not client.hget(key, "old-19999")


def test_a_redelivery_of_an_unfinished_message_does_not_read_its_refused_object_again(ledger):
    a, b = E1, ObjectRef("acme-logs", "b", etag="e1")
    receive(ledger, "m", [a, b])
    end(ledger, "m", Outcome("refused", "corrupt"))
    ledger.leases.forget(["m"], "leases:lost")  # b was still open
    refuse(ledger, "n", b)

    admitted = receive(ledger, "m", [a, b], receives=2)

    assert (admitted.kind, admitted.indices, admitted.refused_before) == ("work", (1,), (0,))


# a key of no known shape


def judged(ref):
    return NamedObject(ref, UNKNOWN)


def test_a_refusal_by_the_key_alone_is_put_in_quarantine_with_its_message(ledger):
    admitted = receive(ledger, "m", [NamedObject(ODD, UNKNOWN, body="{...}")])

    (held,) = ledger.quarantine.entries()
    assert (admitted.kind, admitted.judged) == ("settle", (0,))
    assert (held.id, held.reason, held.message, held.body) == (
        entry_id(ODD),
        "unknown-key",
        "m",
        "{...}",
    )
    assert objects(ledger) == {"named": 1, str(UNKNOWN): 1}


def test_a_second_message_with_such_a_key_is_left_too_and_counted_apart(ledger):
    receive(ledger, "m", [judged(ODD)])
    admitted = receive(ledger, "n", [judged(ODD)])

    assert (admitted.kind, admitted.refused_before, admitted.judged) == ("settle", (0,), ())
    assert [verdict.kind for verdict in ledger.leases.judge(["m", "n"])] == ["leave", "leave"]
    assert objects(ledger) == {"named": 2, str(UNKNOWN): 1, "refused:quarantined": 1}


def test_an_object_that_cloudtrail_names_is_read_for_other_messages_too(ledger, pass_time):
    plain = ObjectRef(ODD.bucket, ODD.key)
    own = receive(ledger, "m", [NamedObject(plain, accepts_any_form=True)])

    other = receive(ledger, "n", [judged(ODD)])
    pass_time(3601)
    late = receive(ledger, "o", [judged(ODD)])

    assert (own.kind, other.kind, late.kind) == ("work", "work", "settle")


def test_an_object_named_by_others_first_is_read_again_once_cloudtrail_names_it(ledger):
    receive(ledger, "m", [judged(ODD)])
    leave(ledger, "m")
    receive(ledger, "n", [NamedObject(ObjectRef(ODD.bucket, ODD.key), accepts_any_form=True)])

    assert receive(ledger, "m", [judged(ODD)], receives=2).kind == "work"


def test_a_delivery_removes_every_entry_that_it_proves_wrong(ledger):
    plain = ObjectRef(ODD.bucket, ODD.key)
    other = ObjectRef(ODD.bucket, ODD.key, etag="e0")
    for ref in (ODD, plain, other):
        ledger.quarantine.put(entry(ref))

    deliver(ledger, "m", plain)

    assert [each.ref.etag for each in ledger.quarantine.entries()] == ["e0"]


# an object delivered before


def test_a_message_that_comes_back_after_hours_reads_nothing_again(ledger, pass_time):
    a, b = refs("a", "b")
    receive(ledger, "m", [a, b])
    end(ledger, "m", Outcome("delivered"))
    ledger.leases.forget(["m"], "leases:given-up")
    pass_time(12 * 3600)

    returned = receive(ledger, "m", [a, b], receives=2)
    another = receive(ledger, "n", [a])

    assert (returned.indices, returned.delivered_before) == ((1,), 1)
    assert another.indices == (0,)  # of which the content is compared


@pytest.mark.parametrize(
    "field", ["leases:given-up", "leases:released", "messages:full", "messages:left"]
)
def test_a_rewritten_object_is_read_after_its_message_went_back_to_the_queue(
    ledger, pass_time, field
):
    ref = ObjectRef("acme-logs", "a")  # by a notice that names no content
    receive(ledger, "first", [ref])
    ledger.outcomes.write(claim(ledger, "first"), DELIVERED, jitter=1)
    pass_time(86_400)
    receive(ledger, "rewrite", [ref])
    ledger.leases.forget(["rewrite"], field)
    pass_time(43_200)

    again = receive(ledger, "rewrite", [ref], receives=2)

    assert (again.kind, again.indices) == ("work", (0,))


def test_an_object_delivered_before_its_message_went_back_is_not_read_again(ledger, pass_time):
    refs = [ObjectRef("acme-logs", "a"), ObjectRef("acme-logs", "b")]
    receive(ledger, "m", refs)
    ledger.outcomes.write(claim(ledger, "m"), DELIVERED, jitter=1)
    ledger.leases.forget(["m"], "leases:given-up")
    pass_time(43_200)

    again = receive(ledger, "m", refs, receives=2)

    assert (again.kind, again.indices, again.delivered_before) == ("work", (1,), 1)


def test_the_delivered_objects_of_a_refused_message_are_not_read_again(ledger, pass_time):
    a, b = refs("a", "b")
    receive(ledger, "m", [a, b])
    end(ledger, "m", Outcome("delivered"))
    end(ledger, "m", Outcome("refused", "corrupt"), index=1)
    leave(ledger, "m")
    pass_time(12 * 3600)

    assert receive(ledger, "m", [a, b], receives=2).kind == "quarantined"


def test_a_refused_rewrite_does_not_count_as_the_content_delivered(ledger, pass_time):
    (a,) = refs("a")
    deliver(ledger, "m", a)
    pass_time(7200)
    refuse(ledger, "n", a)  # the new content is broken

    assert receive(ledger, "n", [a], receives=2).kind == "quarantined"
    assert receive(ledger, "o", [a]).kind == "work"


def test_a_retry_compares_the_content_even_just_after_a_delivery(ledger):
    (a,) = refs("a")
    deliver(ledger, "m", a)

    admitted = admit(ledger, "retry-1", [a], receipt="")

    assert admitted.kind == "work"
    assert claim(ledger, "retry-1").marks == content_digest("e1")


# what is counted


def messages(ledger):
    sums = ledger.sums.read()
    return {name[9:]: by for name, by in sums.items() if name.startswith("messages:")}


def test_each_receive_has_one_outcome(ledger):
    receive(ledger, "m", [E1])
    receive(ledger, "m", [E1], receives=2)  # while it is held
    end(ledger, "m", Outcome("refused", "corrupt"))
    leave(ledger, "m")
    receive(ledger, "m", [E1], receives=3)
    deliver(ledger, "n", refs("b")[0])

    assert messages(ledger) == {
        "received": 4,
        "held-already": 1,
        "left": 1,
        "refused-before": 1,
        "deleted": 1,
    }


def test_a_lease_that_is_dropped_twice_counts_once(ledger):
    receive(ledger, "m", refs("a", "b"))

    unfinished = [ledger.leases.forget(["m"], "leases:lost") for _ in range(2)]

    assert unfinished == [2, 0]
    assert ledger.sums.read()["leases:lost"] == 1
    assert objects(ledger) == {"named": 2, "unfinished": 2}


def test_an_outcome_after_its_lease_was_dropped_counts_as_one_more_object(ledger):
    receive(ledger, "m", [E1])
    held = claim(ledger, "m")
    ledger.leases.forget(["m"], "leases:lost")

    done = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))
    ledger.outcomes.write(held, done, jitter=1)

    assert objects(ledger) == {"named": 2, "unfinished": 1, "delivered": 1}


def test_an_object_refused_by_two_messages_is_refused_once(ledger):
    receive(ledger, "m", [E1])
    receive(ledger, "n", [E1])

    first = end(ledger, "m", Outcome("refused", "corrupt"))
    second = end(ledger, "n", Outcome("refused", "corrupt"))

    assert (first.refused_before, second.refused_before) == (False, True)
    assert objects(ledger) == {"named": 2, "refused:corrupt": 1, "refused:quarantined": 1}


def test_events_that_are_not_about_a_created_object_count_as_named(ledger):
    receive(ledger, "m", [E1], non_create=2)

    assert objects(ledger) == {"named": 3, "skipped:non-create": 2}


def test_a_message_settled_before_its_admission_is_repeated_counts_once(ledger, monkeypatch):
    """The reply was lost, all of its objects had been delivered, and another process settles it."""
    deliver(ledger, "before", E1)
    ledger.leases.forget(["before"])
    monkeypatch.setattr(ledger.store, "token", lambda: "of-this-admission")
    first = receive(ledger, "m", [E1])
    monkeypatch.setattr(ledger.store, "token", lambda: "of-another-host")
    ledger.leases.forget(["m"], sum_field="messages:deleted")

    monkeypatch.setattr(ledger.store, "token", lambda: "of-this-admission")
    again = receive(ledger, "m", [E1])

    assert again == first
    assert ledger.sums.read()["messages:received"] == 2
