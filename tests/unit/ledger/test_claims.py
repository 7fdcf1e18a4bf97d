import secrets

import pytest

from tests.unit.ledger.conftest import SINKS, admit, claim, refs
from trailcourier.errors import Stale
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import Failing
from trailcourier.ledger.store import content_digest
from trailcourier.models import ObjectRef, Outcome

DELIVERED = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))
REFUSED = Report(Outcome("refused", "rejected-records", "no"), sums={"records:in": 2})
NETWORK = Report(
    Outcome("parked", "network", "no route"), breakers=(Failing("bucket:prod:acme-logs"),)
)


def ask(ledger, message="m", index=0, *, generation=1, task="task-1", alone=False, token=""):
    token = token or secrets.token_hex(8)
    return ledger.claims.claim(
        message, index, generation, token=token, task_id=task, sinks=SINKS, alone=alone
    )


def expire(client, held):
    client.delete(b"trailcourier:1:s:prod:c:" + held.oid)


def test_a_claim_lives_thirty_seconds_unless_renewed(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m")
    pass_time(29)
    ledger.claims.renew([held])
    pass_time(29)

    assert ask(ledger, task="task-2").kind == "held"
    pass_time(2)
    assert ask(ledger, task="task-2").kind == "go"


def test_a_dead_workers_claim_ends_although_the_clock_was_set_back(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    claim(ledger, "m")
    pass_time(-3600)

    assert ask(ledger, task="task-2").kind == "go"


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        pytest.param("task-1", "duplicate", id="same-task"),
        pytest.param("task-2", "held", id="another"),
    ],
)
def test_a_second_copy_steps_aside(ledger, task, kind):
    admit(ledger, "m", refs("a"))
    claim(ledger, "m", task="task-1")

    assert ask(ledger, task=task).kind == kind


def test_two_messages_that_name_one_object_do_not_read_it_at_once(ledger):
    admit(ledger, "m", refs("a"))
    admit(ledger, "n", refs("a"))
    held = claim(ledger, "m", task="task-1")

    during = ask(ledger, "n", task="task-2").kind
    ledger.outcomes.write(held, DELIVERED, jitter=1)
    after = ask(ledger, "n", task="task-2")

    assert during == "held"
    assert (after.kind, str(after.outcome)) == ("done", "skipped:already-delivered")


def test_an_older_generation_steps_aside(ledger, client):
    admit(ledger, "m", refs("a"))
    expire(client, claim(ledger, "m"))
    ledger.redispatch.take_lost(idle=True, keep=False)

    assert ask(ledger, generation=1).kind == "held"
    assert ask(ledger, generation=2).kind == "go"


def test_a_forward_whose_lease_is_gone_does_nothing(ledger):
    assert ask(ledger, "unheard-of").kind == "gone"


def test_a_final_outcome_is_answered_to_a_late_copy(ledger):
    admit(ledger, "m", refs("a", "b"))
    ledger.outcomes.write(claim(ledger, "m"), DELIVERED, jitter=1)

    assert ask(ledger).outcome == Outcome("delivered")


def test_a_worker_that_was_overtaken_can_write_nothing(ledger, client):
    admit(ledger, "m", refs("a"))
    frozen = claim(ledger, "m", task="task-1")
    expire(client, frozen)
    due = ledger.redispatch.take_lost(idle=True, keep=False).due[0]
    claim(ledger, "m", generation=due.generation, task="task-2")

    assert ledger.claims.renew([frozen]) == [False]
    with pytest.raises(Stale):
        ledger.claims.note_progress(frozen, "e1", {"p:archive": 10})
    with pytest.raises(Stale):
        ledger.outcomes.write(frozen, DELIVERED, jitter=1)


@pytest.mark.parametrize("taker", ["m", "n"], ids=["its own message's", "another message's"])
def test_a_worker_overtaken_by_one_that_has_ended_can_write_nothing(ledger, client, taker):
    admit(ledger, "m", refs("a"))
    frozen = claim(ledger, "m", task="task-1")
    expire(client, frozen)
    if taker == "m":
        ledger.leases.forget(["m"])
    admit(ledger, taker, refs("a"))
    ledger.outcomes.write(claim(ledger, taker, task="task-2"), DELIVERED, jitter=1)
    ledger.leases.forget([taker])

    assert ledger.claims.renew([frozen]) == [False]
    with pytest.raises(Stale):
        ledger.claims.note_progress(frozen, "e1", {"p:archive": 10})
    with pytest.raises(Stale):
        ledger.outcomes.write(frozen, DELIVERED, jitter=1)


def test_a_worker_overtaken_by_a_refusal_counts_nothing_again(ledger, client):
    admit(ledger, "m", refs("a"))
    frozen = claim(ledger, "m", task="task-1")
    expire(client, frozen)
    due = ledger.redispatch.take_lost(idle=True, keep=False).due[0]
    taken = claim(ledger, "m", generation=due.generation, task="task-2")
    ledger.outcomes.write(taken, REFUSED, jitter=1)
    ledger.leases.forget(["m"])
    expire(client, taken)  # long after

    before = ledger.sums.read()
    assert ledger.claims.renew([frozen]) == [False]
    with pytest.raises(Stale):
        ledger.outcomes.write(frozen, REFUSED, jitter=1)
    assert ledger.sums.read() == before


def test_a_worker_that_was_not_overtaken_may_write_after_the_ledger_was_lost(ledger, client):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m")
    client.flushall()

    assert ledger.claims.renew([held]) == [True]
    assert ledger.outcomes.write(held, DELIVERED, jitter=1).outcome.status == "delivered"


def test_a_delivery_is_remembered_after_its_lease_is_gone(ledger):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m")
    ledger.leases.forget(["m"])

    written = ledger.outcomes.write(held, DELIVERED, jitter=1)

    assert written.outcome.status == "delivered"
    assert admit(ledger, "m", refs("a"), receives=2).kind == "settle"


def test_nothing_is_left_of_tries_after_a_delivery_that_read_nothing(ledger, client, pass_time):
    """The broker's clock was set back, so the forward did not see that delivery at once."""
    admit(ledger, "m", refs("a"))
    admit(ledger, "n", refs("a"))
    ledger.outcomes.write(claim(ledger, "m"), DELIVERED, jitter=1)
    pass_time(-3600)
    network = Report(Outcome("parked", "network", "no"))
    ledger.outcomes.write(claim(ledger, "n", task="task-2"), network, jitter=1)
    pass_time(3600)

    (due,) = ledger.parked.take_ready(1)
    answer = ask(ledger, "n", generation=due.generation, task="task-3")

    assert (answer.kind, answer.outcome) == ("done", Outcome("skipped", "already-delivered"))
    assert client.keys("trailcourier:1:s:prod:o:*") == []


def test_progress_is_found_by_the_next_try(ledger, client):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m", task="task-1")
    ledger.claims.note_progress(held, "e1", {"p:archive": 2000, "j:archive": "[7,9]"})
    expire(client, held)

    standing = ask(ledger, task="task-2").progress

    assert standing.etag == "e1"
    assert standing.next == {"archive": 2000}
    assert standing.refused_before == {"archive": (7, 9)}


def test_an_object_that_kills_workers_runs_alone_and_is_then_refused(ledger, client):
    admit(ledger, "m", refs("a"))
    kinds = []

    for each in range(6):
        answer = ask(ledger, task=f"task-{each}")
        if answer.kind == "alone":
            kinds.append("alone")
            answer = ask(ledger, task=f"task-{each}", alone=True)
        kinds.append(answer.kind)
        expire(client, answer.claim)  # its process was killed

    assert kinds == ["go", "go", "go", "alone", "go", "alone", "go", "refused"]


def test_progress_resets_the_count_of_starts_without_an_end(ledger, client):
    admit(ledger, "m", refs("a"))

    for each in range(8):
        held = claim(ledger, "m", task=f"task-{each}")
        ledger.claims.note_progress(held, "e1", {"p:archive": each})
        expire(client, held)

    assert ask(ledger, task="last").kind == "go"


def test_a_worker_that_stops_leaves_no_start_behind(ledger):
    admit(ledger, "m", refs("a"))
    pending = Report(Outcome("pending", "stopping"))

    for each in range(8):
        ledger.outcomes.write(claim(ledger, "m", task=f"task-{each}"), pending, jitter=1)

    assert ask(ledger, task="last").kind == "go"


def test_an_open_bucket_parks_its_objects_unread_and_lets_one_probe_through(ledger, pass_time):
    admit(ledger, "m", refs("a", "b", "c"))
    for each in range(5):
        ledger.breakers.count_failure(
            "bucket:prod:acme-logs", f"o{each}", reason="network", text="no"
        )

    first = ask(ledger, index=0)
    pass_time(31)
    probe, third = ask(ledger, index=1, task="task-2"), ask(ledger, index=2, task="task-3")

    assert (first.kind, first.breaker) == ("parked", "bucket:prod:acme-logs")
    assert (probe.kind, third.kind) == ("go", "parked")


def test_a_rewritten_key_is_new_work_and_its_old_content_stays_delivered(ledger):
    old, new = (ObjectRef("acme-logs", "k", etag=etag) for etag in ("e1", "e2"))
    admit(ledger, "m", [old])
    ledger.outcomes.write(claim(ledger, "m"), DELIVERED, jitter=1)

    admitted = admit(ledger, "n", [new])
    second = Report(Outcome("delivered"), etag="e2", delivered=content_digest("e2"))
    ledger.outcomes.write(claim(ledger, "n"), second, jitter=1)

    assert admitted.kind == "work"
    assert [admit(ledger, f"o{each.etag}", [each]).kind for each in (old, new)] == ["settle"] * 2


def test_progress_of_another_content_is_discarded(ledger):
    admit(ledger, "m", refs("a"))
    refused = Report(
        Outcome("refused", "rejected-records"),
        etag="e1",
        state={"p:archive": 9, "j:archive": "[3]", "n": 1},
    )
    ledger.outcomes.write(claim(ledger, "m"), refused, jitter=1)
    ledger.leases.forget(["m"])
    admit(ledger, "n", refs("a"))
    rewritten = claim(ledger, "n", task="task-2")
    ledger.claims.note_progress(rewritten, "e2", {"p:archive": 5})
    ledger.outcomes.write(rewritten, NETWORK, jitter=0)
    ledger.parked.take_ready(1)

    standing = ask(ledger, "n", generation=2, task="task-3").progress

    assert (standing.etag, standing.next) == ("e2", {"archive": 5})
    assert (standing.refused_before, standing.counted) == ({}, False)


def test_marks_are_found_after_the_clock_was_set_back_across_their_period(ledger, client):
    span = 259_200_000
    client.set("trailcourier:1:clock", 7000 * span + 60_000)
    ref = ObjectRef("acme-logs", "k", etag="e1")
    admit(ledger, "m", [ref])
    ledger.outcomes.write(claim(ledger, "m"), DELIVERED, jitter=1)

    client.set("trailcourier:1:clock", 7000 * span - 3_540_000)

    assert admit(ledger, "n", [ref]).kind == "settle"
