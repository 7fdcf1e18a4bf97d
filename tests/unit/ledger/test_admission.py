"""What is done with a message that arrives: by what it names, and whether it was here before."""

import pytest

from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.admission import Named
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import Entry, entry_id
from trailcourier.ledger.store import content_digest
from trailcourier.models import Message, Numbers, ObjectRef, Outcome

E1 = ObjectRef("acme-logs", "a", etag="e1")
ODD = ObjectRef("acme-logs", "copies/a.json.gz", etag="e1")
DELIVERED = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))
UNKNOWN = "refused:unknown-key"


def entry(ref):
    return Entry(entry_id(ref), "object", "corrupt", "broken", ref)


def receive(ledger, message, named, *, receives=1, sent=1000, beside=0):
    return ledger.leases.admit(
        Message(message, f"receipt-{receives}", "", receives, sent),
        [each if isinstance(each, Named) else Named(each) for each in named],
        visibility=600,
        beside=beside,
    )


def end(ledger, message, outcome, *, index=0, etag="e1"):
    held = claim(ledger, message, index)
    report = Report(outcome, etag=etag)
    if outcome.status == "delivered":
        report = Report(outcome, etag=etag, delivered=content_digest(etag))
    return ledger.outcomes.finish(held, report, jitter=1, entry=entry(held.ref))


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
    sums = ledger.sums.all()
    return {name[8:]: by for name, by in sums.items() if name.startswith("objects:")}


# an object in quarantine


def test_a_refused_object_is_not_read_again_for_the_message_it_came_with(ledger):
    refuse(ledger, "m", E1)

    kinds = [receive(ledger, "m", [E1], receives=at).kind for at in (2, 3, 4)]

    assert kinds == ["quarantined"] * 3
    (held,) = ledger.quarantine.entries()
    assert (held.times, held.messages) == (4, ("m",))
    assert objects(ledger) == {"named": 1, "refused:corrupt": 1}


def test_a_refused_object_is_read_anew_for_a_new_message(ledger):
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


def test_a_message_of_which_one_entry_was_dropped_has_that_object_alone_read_again(ledger):
    a, b = ObjectRef("acme-logs", "a", etag="e1"), ObjectRef("acme-logs", "b", etag="e1")
    receive(ledger, "m", [a, b])
    for index in (0, 1):
        end(ledger, "m", Outcome("refused", "corrupt"), index=index)
    leave(ledger, "m")
    ledger.quarantine.drop(entry_id(b))

    admitted = receive(ledger, "m", [a, b], receives=2)

    assert (admitted.kind, admitted.indices, admitted.again) == ("work", (1,), (0,))


def test_an_object_whose_details_made_room_is_in_quarantine_all_the_same(client, ledger):
    small = Ledger(client, "prod", Numbers(quarantine_entries=1))
    small.store.client = ledger.store.client
    refuse(small, "m", E1)
    refuse(small, "n", ObjectRef("acme-logs", "b", etag="e1"))

    assert small.quarantine.evicted() == 1
    assert receive(small, "m", [E1], receives=2).kind == "quarantined"


def test_a_message_of_long_ago_that_comes_again_is_read_again(ledger, pass_time):
    refuse(ledger, "m", E1)
    pass_time(15 * 86_400 + 1)
    refuse(ledger, "n", ObjectRef("acme-logs", "b", etag="e1"))  # sweeps
    ledger.quarantine.drop(entry_id(E1))
    refuse(ledger, "o", E1)

    assert receive(ledger, "m", [E1], receives=2).kind == "work"


def test_no_more_messages_are_known_to_have_gone_back_than_there_is_room_for(ledger, client):
    key, times = (b"trailcourier:1:s:prod:back", b"trailcourier:1:s:prod:backt")
    now = ledger.flow.now()
    client.hset(key, mapping={f"old-{at}": "1|0|1" for at in range(20_000)})
    client.zadd(times, {f"old-{at}": now - at for at in range(20_000)})

    refuse(ledger, "m", E1)

    assert client.hlen(key) == client.zcard(times) == 20_000
    assert client.hget(key, "m")
    assert not client.hget(key, "old-19999")


def test_a_redelivery_of_what_was_not_finished_reads_a_refused_object_only_if_it_was_not(ledger):
    a, b = E1, ObjectRef("acme-logs", "b", etag="e1")
    receive(ledger, "m", [a, b])
    end(ledger, "m", Outcome("refused", "corrupt"))
    ledger.leases.forget(["m"], "leases:lost")  # b was still open
    refuse(ledger, "n", b)

    admitted = receive(ledger, "m", [a, b], receives=2)

    assert (admitted.kind, admitted.indices, admitted.again) == ("work", (1,), (0,))


# a key of no known shape


def judged(ref):
    return Named(ref, UNKNOWN)


def test_a_refusal_by_the_key_alone_is_entered_with_its_message(ledger):
    admitted = receive(ledger, "m", [Named(ODD, UNKNOWN, body="{...}")])

    (held,) = ledger.quarantine.entries()
    assert (admitted.kind, admitted.judged) == ("settle", (0,))
    assert (held.id, held.reason, held.message, held.body) == (
        entry_id(ODD),
        "unknown-key",
        "m",
        "{...}",
    )
    assert objects(ledger) == {"named": 1, UNKNOWN: 1}


def test_a_second_message_with_such_a_key_is_left_too_and_counted_apart(ledger):
    receive(ledger, "m", [judged(ODD)])
    admitted = receive(ledger, "n", [judged(ODD)])

    assert (admitted.kind, admitted.again, admitted.judged) == ("settle", (0,), ())
    assert [verdict.kind for verdict in ledger.leases.verdicts(["m", "n"])] == ["leave", "leave"]
    assert objects(ledger) == {"named": 2, UNKNOWN: 1, "refused:quarantined": 1}


def test_what_cloudtrail_itself_names_is_read_for_others_too(ledger, pass_time):
    plain = ObjectRef(ODD.bucket, ODD.key)
    own = receive(ledger, "m", [Named(plain, vouched=True)])

    other = receive(ledger, "n", [judged(ODD)])
    pass_time(3601)
    late = receive(ledger, "o", [judged(ODD)])

    assert (own.kind, other.kind, late.kind) == ("work", "work", "settle")


def test_what_others_named_first_is_read_again_once_cloudtrail_has_named_it(ledger):
    receive(ledger, "m", [judged(ODD)])
    leave(ledger, "m")
    receive(ledger, "n", [Named(ObjectRef(ODD.bucket, ODD.key), vouched=True)])

    assert receive(ledger, "m", [judged(ODD)], receives=2).kind == "work"


def test_a_delivery_takes_out_every_entry_that_it_shows_to_be_wrong(ledger):
    plain = ObjectRef(ODD.bucket, ODD.key)
    other = ObjectRef(ODD.bucket, ODD.key, etag="e0")
    for ref in (ODD, plain, other):
        ledger.quarantine.put(entry(ref))

    deliver(ledger, "m", plain)

    assert [each.ref.etag for each in ledger.quarantine.entries()] == ["e0"]


# an object delivered before


def test_a_message_that_comes_back_after_hours_has_nothing_read_again(ledger, pass_time):
    a, b = refs("a", "b")
    receive(ledger, "m", [a, b])
    end(ledger, "m", Outcome("delivered"))
    ledger.leases.forget(["m"], "leases:let-go")
    pass_time(12 * 3600)

    returned = receive(ledger, "m", [a, b], receives=2)
    another = receive(ledger, "n", [a])

    assert (returned.indices, returned.known) == ((1,), 1)
    assert another.indices == (0,)  # of which the content is compared


@pytest.mark.parametrize(
    "field", ["leases:let-go", "leases:given-back", "messages:full", "messages:left"]
)
def test_a_rewrite_is_read_though_its_message_had_to_go_back_to_the_queue(ledger, pass_time, field):
    ref = ObjectRef("acme-logs", "a")  # by a notice that names no content
    receive(ledger, "first", [ref])
    ledger.outcomes.finish(claim(ledger, "first"), DELIVERED, jitter=1)
    pass_time(86_400)
    receive(ledger, "rewrite", [ref])
    ledger.leases.forget(["rewrite"], field)
    pass_time(43_200)

    again = receive(ledger, "rewrite", [ref], receives=2)

    assert (again.kind, again.indices) == ("work", (0,))


def test_what_a_message_delivered_before_it_went_back_is_not_read_again(ledger, pass_time):
    refs = [ObjectRef("acme-logs", "a"), ObjectRef("acme-logs", "b")]
    receive(ledger, "m", refs)
    ledger.outcomes.finish(claim(ledger, "m"), DELIVERED, jitter=1)
    ledger.leases.forget(["m"], "leases:let-go")
    pass_time(43_200)

    again = receive(ledger, "m", refs, receives=2)

    assert (again.kind, again.indices, again.known) == ("work", (1,), 1)


def test_a_message_that_was_refused_has_its_delivered_objects_left_alone(ledger, pass_time):
    a, b = refs("a", "b")
    receive(ledger, "m", [a, b])
    end(ledger, "m", Outcome("delivered"))
    end(ledger, "m", Outcome("refused", "corrupt"), index=1)
    leave(ledger, "m")
    pass_time(12 * 3600)

    assert receive(ledger, "m", [a, b], receives=2).kind == "quarantined"


def test_a_rewrite_that_was_refused_is_not_taken_for_what_was_delivered(ledger, pass_time):
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
    assert claim(ledger, "retry-1").known == content_digest("e1")


# what is counted


def messages(ledger):
    sums = ledger.sums.all()
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
    assert ledger.sums.all()["leases:lost"] == 1
    assert objects(ledger) == {"named": 2, "unfinished": 2}


def test_an_outcome_after_the_message_was_let_go_is_of_an_object_of_its_own(ledger):
    receive(ledger, "m", [E1])
    held = claim(ledger, "m")
    ledger.leases.forget(["m"], "leases:lost")

    done = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))
    ledger.outcomes.finish(held, done, jitter=1)

    assert objects(ledger) == {"named": 2, "unfinished": 1, "delivered": 1}


def test_an_object_refused_by_two_messages_is_refused_once(ledger):
    receive(ledger, "m", [E1])
    receive(ledger, "n", [E1])

    first = end(ledger, "m", Outcome("refused", "corrupt"))
    second = end(ledger, "n", Outcome("refused", "corrupt"))

    assert (first.again, second.again) == (False, True)
    assert objects(ledger) == {"named": 2, "refused:corrupt": 1, "refused:quarantined": 1}


def test_entries_of_a_message_that_announce_nothing_created_are_named_too(ledger):
    receive(ledger, "m", [E1], beside=2)

    assert objects(ledger) == {"named": 3, "skipped:non-create": 2}
