import pytest

from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger.admission import NamedObject
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import QuarantineEntry, entry_id
from trailcourier.ledger.store import content_digest
from trailcourier.models import Message, ObjectRef, Outcome

DELIVERED = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))


def verdict(ledger, message="m"):
    return ledger.leases.judge([message])[0]


def deliver(ledger, message, index=0):
    return ledger.outcomes.write(claim(ledger, message, index), DELIVERED, jitter=1)


def test_a_new_message_needs_work_on_each_of_its_objects(ledger):
    admitted = admit(ledger, "m", refs("a", "b"))

    assert (admitted.kind, admitted.indices) == ("work", (0, 1))


def test_a_leased_message_only_takes_the_newer_receipt(ledger):
    admit(ledger, "m", refs("a"))

    admitted = admit(ledger, "m", refs("a"), receipt="receipt-2", receives=2)

    assert (admitted.kind, admitted.indices) == ("held", ())
    assert verdict(ledger).receipt == "receipt-2"


def test_an_older_receipt_that_arrives_last_does_not_replace_a_newer_one(ledger):
    admit(ledger, "m", refs("a"), receipt="second", receives=2)

    admit(ledger, "m", refs("a"), receipt="first", receives=1)

    assert verdict(ledger).receipt == "second"


def test_of_two_receipts_with_equal_counts_the_later_one_stays(ledger):
    admit(ledger, "m", refs("a"), receipt="earlier")

    admit(ledger, "m", refs("a"), receipt="later")

    assert verdict(ledger).receipt == "later"


def test_a_message_is_deleted_only_when_every_object_is_done(ledger):
    admit(ledger, "m", refs("a", "b"))

    deliver(ledger, "m", 0)
    early = verdict(ledger).kind
    last = deliver(ledger, "m", 1)

    assert early == "keep"
    assert last.settle
    assert verdict(ledger).kind == "delete"


def test_only_one_caller_is_told_to_delete_within_ten_seconds(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    deliver(ledger, "m")

    first, second = verdict(ledger), verdict(ledger)
    pass_time(11)

    assert (first.kind, second.kind, verdict(ledger).kind) == ("delete", "keep", "delete")


def test_a_message_without_a_lease_is_gone_and_never_deleted(ledger):
    assert verdict(ledger, "unheard-of").kind == "gone"


def test_a_redelivered_message_redoes_only_what_was_not_delivered(ledger):
    admit(ledger, "m", refs("a", "b", "c"))
    deliver(ledger, "m", 1)
    ledger.leases.forget(["m"])

    admitted = admit(ledger, "m", refs("a", "b", "c"), receives=2)

    assert (admitted.kind, admitted.indices) == ("work", (0, 2))


def test_a_redelivered_message_whose_objects_are_all_delivered_is_settled(ledger):
    admit(ledger, "m", refs("a"))
    deliver(ledger, "m")
    ledger.leases.forget(["m"])

    admitted = admit(ledger, "m", refs("a"), receipt="receipt-2", receives=2)

    assert admitted.kind == "settle"
    assert (verdict(ledger).kind, verdict(ledger).receipt) == ("delete", "receipt-2")


def test_one_refused_object_leaves_the_message(ledger):
    admit(ledger, "m", refs("a", "b"))
    deliver(ledger, "m", 0)

    ledger.outcomes.write(claim(ledger, "m", 1), Report(Outcome("refused", "corrupt")), jitter=1)

    assert verdict(ledger).kind == "leave"


def test_a_message_in_quarantine_is_not_worked_on_again(ledger):
    ref = refs("bad")[0]
    ledger.quarantine.put(QuarantineEntry(entry_id(ref), "object", "corrupt", "broken", ref, "m"))

    admitted = admit(ledger, "m", [ref], receives=3)

    assert admitted.kind == "quarantined"


def test_another_content_of_a_quarantined_key_is_new_work(ledger):
    old, new = ObjectRef("acme-logs", "k", etag="old"), ObjectRef("acme-logs", "k", etag="new")
    ledger.quarantine.put(QuarantineEntry(entry_id(old), "object", "corrupt", "broken", old, "m"))

    assert admit(ledger, "n", [new]).kind == "work"


def test_an_object_judged_without_a_read_is_final_and_counted_once(ledger):
    named = [NamedObject(refs("digest")[0], Outcome("skipped", "digest"))]
    message = Message("m", "receipt", "", 1)

    kinds = [ledger.leases.admit(message, named, visibility=600).kind for _ in range(2)]

    assert kinds == ["settle", "finished"]
    assert verdict(ledger).kind == "delete"
    assert ledger.sums.read()["objects:skipped:digest"] == 1


def test_a_lease_is_extended_when_less_than_half_is_left_and_by_one_caller(ledger, pass_time):
    admit(ledger, "m", refs("a"))

    early = ledger.leases.take_expiring()
    pass_time(301)
    due, again = ledger.leases.take_expiring(), ledger.leases.take_expiring()

    assert early == again == []
    assert [(lease.message, lease.receipt, int(lease.age)) for lease in due] == [
        ("m", "receipt-1", 301)
    ]


def test_a_lease_that_was_extended_is_not_due_before_half_of_that(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    pass_time(301)
    ledger.leases.take_expiring()

    ledger.leases.note_extended([("m", "receipt-1", 600)])
    pass_time(299)
    early = ledger.leases.take_expiring()
    pass_time(2)

    assert early == []
    assert len(ledger.leases.take_expiring()) == 1


def test_a_failed_extension_is_retried_after_ten_seconds(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    pass_time(301)
    ledger.leases.take_expiring()

    pass_time(11)

    assert len(ledger.leases.take_expiring()) == 1


def test_a_finished_message_that_was_not_settled_is_found(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    deliver(ledger, "m")

    early = ledger.leases.take_finished(since=5)
    pass_time(6)

    assert early == []
    assert ledger.leases.take_finished(since=5) == ["m"]
    assert ledger.leases.take_finished(since=5) == []


def test_messages_finished_together_are_settled_together(ledger):
    for message in "mno":
        admit(ledger, message, refs(message))

    first, second = deliver(ledger, "m").settle, deliver(ledger, "n").settle
    ready = ledger.leases.begin_settle()
    third = deliver(ledger, "o").settle

    assert (first, second, third) == (True, False, True)
    assert sorted(ready) == ["m", "n"]


@pytest.mark.parametrize(
    "field",
    ["messages:deleted", "messages:left", "messages:full", "leases:given-up", "leases:lost"],
)
def test_a_lease_renewed_by_a_newer_receive_is_not_dropped_by_an_older_decision(ledger, field):
    """Its message would be unknown until its visibility ends, which costs one more receive."""
    admit(ledger, "m", refs("a"))
    admit(ledger, "m", refs("a"), receipt="receipt-2", receives=2)

    unfinished = ledger.leases.forget(["m"], field, {"m": "receipt-1"})

    assert (unfinished, ledger.room.count_in_hand()) == (0, (1, 0, 1))
    assert field not in ledger.sums.read()
    assert ledger.leases.forget(["m"], field, {"m": "receipt-2"}) == 1
    assert ledger.room.count_in_hand() == (0, 0, 0)


def test_forgetting_a_lease_leaves_nothing_of_it(ledger, client):
    admit(ledger, "m", refs("a", "b"))

    ledger.leases.forget(["m"], "messages:left")

    keys = set(client.scan_iter("trailcourier:1:s:prod:*"))
    left = {key for key in keys if client.ttl(key) == -1}  # the others go by themselves
    own = b"trailcourier:1:s:prod:"
    assert left == {own + b"sums", own + b"back", own + b"backt"}
    assert ledger.sums.read() == {
        "messages:received": 1,
        "messages:left": 1,
        "objects:named": 2,
        "objects:unfinished": 2,
    }


def test_a_retry_without_a_receipt_is_never_extended(ledger, pass_time):
    admit(ledger, "retry", refs("a"), receipt="")

    pass_time(10_000)

    assert ledger.leases.take_expiring() == []


def test_a_message_of_five_thousand_objects_is_admitted(ledger):
    admitted = admit(ledger, "m", refs(*(f"k{i}" for i in range(5000))))

    assert admitted.indices == tuple(range(5000))
