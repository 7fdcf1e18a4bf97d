import pytest

from tests.unit.ledger.conftest import SINKS, admit, claim, refs
from trailcourier.errors import Fault, Stale
from trailcourier.ledger.claims import Report, breaker_name
from trailcourier.ledger.store import content_digest
from trailcourier.models import ObjectRef, Outcome

DELIVERED = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))
NETWORK = Report(Outcome("parked", "network", "no route"), breaker="bucket:prod:acme-logs")


def ask(ledger, message="m", index=0, *, generation=1, task="task-1", alone=False):
    return ledger.claims.claim(
        message, index, generation, token=f"token-{task}", task_id=task, sinks=SINKS, alone=alone
    )


def expire(client, held):
    client.delete(b"trailcourier:1:s:prod:c:" + held.oid)


def test_a_claim_lives_thirty_seconds_unless_renewed(ledger, client):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m")
    key = b"trailcourier:1:s:prod:c:" + held.oid
    client.pexpire(key, 1000)

    ledger.claims.renew([held])

    assert 29_000 < client.pttl(key) <= 30_000


@pytest.mark.parametrize(
    ("task", "kind"),
    [pytest.param("task-1", "ours", id="same-task"), pytest.param("task-2", "held", id="another")],
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
    ledger.claims.finish(held, DELIVERED, jitter=1)
    after = ask(ledger, "n", task="task-2")

    assert during == "held"
    assert (after.kind, after.outcome) == ("done", "skipped:already-delivered:settle")


def test_an_older_generation_steps_aside(ledger, client):
    admit(ledger, "m", refs("a"))
    expire(client, claim(ledger, "m"))
    ledger.flow.lost(idle=True, keep=False)

    assert ask(ledger, generation=1).kind == "held"
    assert ask(ledger, generation=2).kind == "go"


def test_a_forward_whose_lease_is_gone_does_nothing(ledger):
    assert ask(ledger, "unheard-of").kind == "gone"


def test_a_final_outcome_is_answered_to_a_late_copy(ledger):
    admit(ledger, "m", refs("a", "b"))
    ledger.claims.finish(claim(ledger, "m"), DELIVERED, jitter=1)

    assert ask(ledger).outcome == "delivered"


def test_a_worker_that_was_overtaken_can_write_nothing(ledger, client):
    admit(ledger, "m", refs("a"))
    frozen = claim(ledger, "m", task="task-1")
    expire(client, frozen)
    due = ledger.flow.lost(idle=True, keep=False).due[0]
    claim(ledger, "m", generation=due.generation, task="task-2")

    assert ledger.claims.renew([frozen]) == [False]
    with pytest.raises(Stale):
        ledger.claims.progress(frozen, "e1", {"p:archive": 10})
    with pytest.raises(Stale):
        ledger.claims.finish(frozen, DELIVERED, jitter=1)


def test_delivered_is_remembered_though_the_lease_is_gone(ledger):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m")
    ledger.leases.forget(["m"])

    written = ledger.claims.finish(held, DELIVERED, jitter=1)

    assert written.outcome.status == "delivered"
    assert admit(ledger, "m", refs("a"), receives=2).kind == "settle"


def test_progress_is_found_by_the_next_try(ledger, client):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m", task="task-1")
    ledger.claims.progress(held, "e1", {"p:archive": 2000, "j:archive": "[7,9]"})
    expire(client, held)

    standing = ask(ledger, task="task-2").standing

    assert standing.etag == "e1"
    assert standing.progress == {"archive": 2000}
    assert standing.rejected == {"archive": (7, 9)}


def test_the_sums_count_with_the_final_outcome_and_once(ledger):
    admit(ledger, "m", refs("a"))
    report = Report(Outcome("delivered"), etag="e1", sums={"records:in": 7})

    ledger.claims.finish(claim(ledger, "m"), report, jitter=1)

    assert ledger.sums.all()["records:in"] == 7
    assert ask(ledger).kind == "done"


def test_a_parked_object_leaves_the_flight_and_does_not_count_as_done(ledger):
    admit(ledger, "m", refs("a"))

    written = ledger.claims.finish(claim(ledger, "m"), NETWORK, jitter=1)

    assert (written.outcome.status, written.complete) == ("parked", False)
    assert ledger.flow.in_hand() == (0, 1, 1)
    assert ledger.leases.verdicts(["m"])[0].kind == "keep"


def tried(ledger, pass_time, report, times):
    """The statuses of so many tries of one object, each as soon as it is due."""
    statuses = []
    for each in range(times):
        held = claim(ledger, "m", generation=each + 1, task=f"task-{each}")
        statuses.append(ledger.claims.finish(held, report, jitter=1).outcome.status)
        pass_time(1000)
        ledger.flow.ready(10)
    return statuses


def test_a_missing_object_is_refused_at_the_third_try(ledger, pass_time):
    admit(ledger, "m", refs("a"))

    statuses = tried(ledger, pass_time, Report(Outcome("refused", "no-such-key", "gone")), 3)

    assert statuses == ["parked", "parked", "refused"]


def test_a_bug_is_parked_and_refused_at_the_fifth_try(ledger, pass_time):
    admit(ledger, "m", refs("a"))

    statuses = tried(ledger, pass_time, Report(Outcome("parked", "internal", "?")), 5)

    assert statuses == ["parked"] * 4 + ["refused"]


def test_a_denied_object_is_refused_only_if_others_of_the_bucket_are_read(ledger, pass_time):
    denied = Report(Outcome("parked", "access-denied", "no"), breaker="bucket:prod:acme-logs")
    admit(ledger, "m", refs("a"))

    alone = tried(ledger, pass_time, denied, 7)
    ledger.breakers.succeeded("bucket:prod:acme-logs")
    held = claim(ledger, "m", generation=8, task="task-8")

    assert alone == ["parked"] * 7
    assert ledger.claims.finish(held, denied, jitter=1).outcome.status == "refused"


def test_the_wait_of_a_parked_object_doubles_to_a_quarter_of_an_hour(ledger, client, pass_time):
    admit(ledger, "m", refs("a"))
    waits = []

    for each in range(10):
        held = claim(ledger, "m", generation=each + 1, task=f"task-{each}")
        ledger.claims.finish(held, NETWORK, jitter=1)
        due = client.zscore("trailcourier:1:s:prod:parked", "m/0")
        seconds, micros = client.time()
        now = seconds * 1000 + micros // 1000 + int(client.get("trailcourier:1:offset") or 0)
        waits.append(round((due - now) / 1000))
        pass_time(1000)
        ledger.flow.ready(10)

    assert waits == [10, 20, 40, 80, 160, 320, 640, 900, 900, 900]


def test_starts_without_an_end_end_alone_and_then_refused(ledger, client):
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


def test_progress_says_that_a_start_did_not_kill(ledger, client):
    admit(ledger, "m", refs("a"))

    for each in range(8):
        held = claim(ledger, "m", task=f"task-{each}")
        ledger.claims.progress(held, "e1", {"p:archive": each})
        expire(client, held)

    assert ask(ledger, task="last").kind == "go"


def test_a_worker_that_stops_leaves_no_start_behind(ledger):
    admit(ledger, "m", refs("a"))
    pending = Report(Outcome("pending", "stopping"))

    for each in range(8):
        ledger.claims.finish(claim(ledger, "m", task=f"task-{each}"), pending, jitter=1)

    assert ask(ledger, task="last").kind == "go"


def test_an_open_bucket_parks_its_objects_unread_and_lets_one_probe_through(ledger, pass_time):
    admit(ledger, "m", refs("a", "b", "c"))
    for each in range(5):
        ledger.breakers.failed("bucket:prod:acme-logs", f"o{each}", reason="network", text="no")

    first = ask(ledger, index=0)
    pass_time(31)
    probe, third = ask(ledger, index=1, task="task-2"), ask(ledger, index=2, task="task-3")

    assert (first.kind, first.outcome) == ("parked", "bucket:prod:acme-logs")
    assert (probe.kind, third.kind) == ("go", "parked")


def test_a_success_closes_the_breaker_it_belongs_to(ledger):
    admit(ledger, "m", refs("a"))
    for each in range(4):
        ledger.breakers.failed("sink:archive", f"o{each}", reason="sink-error", text="no")
    report = Report(Outcome("delivered"), etag="e1", succeeded=["sink:archive"])

    ledger.claims.finish(claim(ledger, "m"), report, jitter=1)

    assert not ledger.breakers.failed("sink:archive", "o9", reason="sink-error", text="no")


def test_the_fifth_distinct_object_opens_the_breaker_and_says_so(ledger):
    opened = []
    admit(ledger, "m", refs(*"abcde"))

    for each in range(5):
        held = claim(ledger, "m", each, task=f"task-{each}")
        opened.append(ledger.claims.finish(held, NETWORK, jitter=1).opened)

    assert opened == ["", "", "", "", "bucket:prod:acme-logs"]
    assert [b.text for b in ledger.breakers.open()] == ["no route"]


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        pytest.param(Fault("credentials", "x"), "queue:prod", id="queue"),
        pytest.param(Fault("kms", "x"), "bucket:prod:b", id="bucket"),
        pytest.param(Fault("sink-busy", "x", where="siem"), "sink:siem", id="sink"),
        pytest.param(Fault("archived", "x"), "", id="none"),
    ],
)
def test_each_fault_belongs_to_the_breaker_its_reason_names(fault, name):
    assert breaker_name("prod", fault, "b") == name


def test_a_rewritten_key_is_new_work_and_the_old_content_is_still_known(ledger):
    old, new = (ObjectRef("acme-logs", "k", etag=etag) for etag in ("e1", "e2"))
    admit(ledger, "m", [old])
    ledger.claims.finish(claim(ledger, "m"), DELIVERED, jitter=1)

    admitted = admit(ledger, "n", [new])
    second = Report(Outcome("delivered"), etag="e2", delivered=content_digest("e2"))
    ledger.claims.finish(claim(ledger, "n"), second, jitter=1)

    assert admitted.kind == "work"
    assert [admit(ledger, f"o{each.etag}", [each]).kind for each in (old, new)] == ["settle"] * 2
