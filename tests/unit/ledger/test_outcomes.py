import msgspec
import pytest

from tests.unit.ledger.conftest import SINKS, admit, claim, refs
from trailcourier.errors import Fault
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import Failing, failing
from trailcourier.ledger.store import content_digest
from trailcourier.models import Numbers, ObjectRef, Outcome

DELIVERED = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))
NETWORK = Report(
    Outcome("parked", "network", "no route"), breakers=(Failing("bucket:prod:acme-logs"),)
)


def ask(ledger, message="m", index=0, *, generation=1, task="task-1", alone=False):
    return ledger.claims.claim(
        message, index, generation, token=f"token-{task}", task_id=task, sinks=SINKS, alone=alone
    )


def test_the_sums_count_with_the_final_outcome_and_once(ledger):
    admit(ledger, "m", refs("a"))
    report = Report(Outcome("delivered"), etag="e1", sums={"records:in": 7})

    ledger.outcomes.finish(claim(ledger, "m"), report, jitter=1)

    assert ledger.sums.all()["records:in"] == 7
    assert ask(ledger).kind == "done"


def test_a_parked_object_leaves_the_flight_and_does_not_count_as_done(ledger):
    admit(ledger, "m", refs("a"))

    written = ledger.outcomes.finish(claim(ledger, "m"), NETWORK, jitter=1)

    assert (written.outcome.status, written.settle) == ("parked", False)
    assert ledger.flow.in_hand() == (0, 1, 1)
    assert ledger.leases.verdicts(["m"])[0].kind == "keep"


def tried(ledger, pass_time, report, times):
    """The statuses of so many tries of one object, each as soon as it is due."""
    statuses = []
    for each in range(times):
        held = claim(ledger, "m", generation=each + 1, task=f"task-{each}")
        statuses.append(ledger.outcomes.finish(held, report, jitter=1).outcome.status)
        pass_time(1000)
        ledger.parked.ready(10)
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
    denied = Report(
        Outcome("parked", "access-denied", "no"), breakers=(Failing("bucket:prod:acme-logs"),)
    )
    admit(ledger, "m", refs("a"))

    alone = tried(ledger, pass_time, denied, 7)
    ledger.breakers.succeeded("bucket:prod:acme-logs")
    held = claim(ledger, "m", generation=8, task="task-8")

    assert alone == ["parked"] * 7
    assert ledger.outcomes.finish(held, denied, jitter=1).outcome.status == "refused"


def test_the_wait_of_a_parked_object_doubles_to_a_quarter_of_an_hour(ledger, client, pass_time):
    admit(ledger, "m", refs("a"))
    waits = []

    for each in range(10):
        held = claim(ledger, "m", generation=each + 1, task=f"task-{each}")
        ledger.outcomes.finish(held, NETWORK, jitter=1)
        due = client.zscore("trailcourier:1:s:prod:parked", "m/0")
        seconds, micros = client.time()
        now = seconds * 1000 + micros // 1000 + int(client.get("trailcourier:1:offset") or 0)
        waits.append(round((due - now) / 1000))
        pass_time(1000)
        ledger.parked.ready(10)

    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_an_object_that_killed_workers_runs_alone_at_once_for_a_new_message(ledger):
    admit(ledger, "m", refs("a"))
    killed = Report(Outcome("refused", "kills-worker", "5 starts, no end"))
    ledger.outcomes.finish(claim(ledger, "m"), killed, jitter=1)
    admit(ledger, "n", refs("a"))

    assert ask(ledger, "n").kind == "alone"
    assert ask(ledger, "n", alone=True).kind == "go"


def test_a_success_closes_the_breaker_it_belongs_to(ledger):
    admit(ledger, "m", refs("a"))
    for each in range(4):
        ledger.breakers.failed("sink:archive", f"o{each}", reason="sink-error", text="no")
    report = Report(Outcome("delivered"), etag="e1", succeeded=["sink:archive"])

    ledger.outcomes.finish(claim(ledger, "m"), report, jitter=1)

    assert not ledger.breakers.failed("sink:archive", "o9", reason="sink-error", text="no")


def test_the_first_success_closes_a_breaker_and_says_so(ledger):
    admit(ledger, "m", refs("a", "b"))
    report = Report(Outcome("delivered"), succeeded=["bucket:prod:acme-logs", "sink:archive"])
    one, other = (claim(ledger, "m", at, task=f"task-{at}") for at in range(2))
    ledger.breakers.failed("sink:archive", "o", reason="sink-error", text="no", limit=1)

    closed = [ledger.outcomes.finish(held, report, jitter=1).closed for held in (one, other)]

    assert closed == [["sink:archive"], []]


@pytest.mark.parametrize("outcome", [Outcome("pending", "stopping"), Outcome("parked", "archived")])
def test_a_breaker_is_closed_by_a_success_whatever_becomes_of_the_object(ledger, outcome):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m")
    ledger.breakers.failed("sink:archive", "o", reason="sink-error", text="no", limit=1)

    written = ledger.outcomes.finish(held, Report(outcome, succeeded=["sink:archive"]), jitter=1)

    assert written.closed == ["sink:archive"]


def test_the_fifth_distinct_object_opens_the_breaker_and_says_so(ledger):
    opened = []
    admit(ledger, "m", refs(*"abcde"))

    for each in range(5):
        held = claim(ledger, "m", each, task=f"task-{each}")
        opened.append(ledger.outcomes.finish(held, NETWORK, jitter=1).opened)

    assert opened == ["", "", "", "", "bucket:prod:acme-logs"]
    assert [b.text for b in ledger.breakers.open()] == ["no route"]


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        pytest.param(Fault("credentials", "x"), "credentials:prod", id="credentials"),
        pytest.param(Fault("kms", "x"), "bucket:prod:b", id="bucket"),
        pytest.param(Fault("sink-busy", "x", where="siem"), "sink:siem", id="sink"),
        pytest.param(Fault("archived", "x"), "", id="none"),
    ],
)
def test_each_fault_belongs_to_the_breaker_its_reason_names(fault, name):
    names = [each.name for each in failing("prod", fault, ObjectRef("b", "k"))]
    assert names == ([name] if name else [])


def test_a_source_is_told_of_its_own_sinks_and_not_of_others(client, ledger):
    for each in range(5):
        ledger.breakers.failed("sink:siem", f"o{each}", reason="sink-error", text="no")

    beside = Ledger(client, "dev", Numbers(), sinks=("archive",))
    concerned = Ledger(client, "dev", Numbers(), sinks=("archive", "siem"))

    assert beside.breakers.open() == []
    assert [breaker.name for breaker in concerned.breakers.open()] == ["sink:siem"]


SINK = "sink:archive"
REJECTS = Report(Outcome("parked", "sink-rejects-all", "no"), breakers=[Failing(SINK, here=True)])


def accepted(ledger, message, *, ago=0):
    """Deliver one object; its sink accepted the last record *ago* milliseconds ago."""
    admit(ledger, message, refs(message))
    report = Report(Outcome("delivered"), etag="e", succeeded=[SINK], ago={SINK: ago})
    ledger.outcomes.finish(claim(ledger, message), report, jitter=1)


def rejected(ledger, *messages, host=""):
    for message in messages:
        admit(ledger, message, refs(message))
        ledger.outcomes.finish(claim(ledger, message), REJECTS, jitter=1, host=host)


def vouched(ledger, message="m"):
    (again,) = [due for due in ledger.parked.ready(10) if due.message == message]
    return ask(ledger, message, generation=again.generation).standing.vouched


def test_a_sink_vouches_for_its_rejections_once_it_accepted_another_object(ledger, pass_time):
    rejected(ledger, "m")
    pass_time(10)
    accepted(ledger, "other")

    assert vouched(ledger) == ("archive",)


def test_a_sink_that_accepted_others_only_before_vouches_for_nothing(ledger, pass_time):
    accepted(ledger, "other")
    pass_time(1)
    rejected(ledger, "m")
    pass_time(10)

    assert vouched(ledger) == ()


def test_what_it_accepted_is_as_old_as_the_record_not_as_the_outcome(ledger, pass_time):
    rejected(ledger, "m")
    pass_time(10)
    accepted(ledger, "slow", ago=10_500)

    assert vouched(ledger) == ()


def test_it_vouches_for_nothing_where_it_failed_since(ledger, pass_time):
    rejected(ledger, "m")
    pass_time(10)
    accepted(ledger, "other")
    rejected(ledger, "next")

    assert vouched(ledger) == ()


def test_it_vouches_for_nothing_where_only_another_host_is_heard(ledger, pass_time):
    """What stands between one host and the sink may reject what the sink would accept."""
    for host in ("one", "two"):
        ledger.workers.heartbeat(f"object@{host}", 8)
    rejected(ledger, "m", host="one")
    pass_time(10)
    accepted(ledger, "other")

    assert vouched(ledger) == ()


def test_a_success_from_before_a_breaker_opened_does_not_close_it(ledger, pass_time):
    admit(ledger, "slow", refs("slow", "new"))
    slow, new = claim(ledger, "slow", 0), claim(ledger, "slow", 1)
    rejected(ledger, *"abcde")
    pass_time(1)
    report = Report(Outcome("delivered"), etag="e", succeeded=[SINK], ago={SINK: 1500})

    ledger.outcomes.finish(slow, report, jitter=1)
    still = [each.name for each in ledger.breakers.open()]
    ledger.outcomes.finish(new, msgspec.structs.replace(report, ago={}), jitter=1)

    assert (still, ledger.breakers.open()) == ([SINK], [])
