import msgspec
import pytest

from tests.unit.ledger.conftest import SINKS, admit, claim, refs
from trailcourier.errors import Fault
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import Failing, breakers_of_fault
from trailcourier.ledger.store import content_digest
from trailcourier.models import Numbers, ObjectRef, Outcome

DELIVERED = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))
NETWORK = Report(
    Outcome("parked", "network", "no route"), breakers=(Failing("bucket:prod:acme-logs"),)
)


def ask(ledger, message="m", index=0, *, generation=1, task="task-1", alone=False, host=""):
    return ledger.claims.claim(
        message, index, generation, token=f"token-{task}", task_id=task, sinks=SINKS, alone=alone,
        host=host,
    )  # fmt: skip


def test_the_sums_count_with_the_final_outcome_and_once(ledger):
    admit(ledger, "m", refs("a"))
    report = Report(Outcome("delivered"), etag="e1", sums={"records:in": 7})

    ledger.outcomes.write(claim(ledger, "m"), report, jitter=1)

    assert ledger.sums.read()["records:in"] == 7
    assert ask(ledger).kind == "done"


def test_a_parked_object_is_no_longer_in_flight_and_not_done(ledger):
    admit(ledger, "m", refs("a"))

    written = ledger.outcomes.write(claim(ledger, "m"), NETWORK, jitter=1)

    assert (written.outcome.status, written.settle) == ("parked", False)
    assert ledger.room.count_in_hand() == (0, 1, 1)
    assert ledger.leases.judge(["m"])[0].kind == "keep"


def tried(ledger, pass_time, report, times):
    """Return the statuses of several tries of one object, each made as soon as it is due."""
    statuses = []
    for each in range(times):
        held = claim(ledger, "m", generation=each + 1, task=f"task-{each}")
        statuses.append(ledger.outcomes.write(held, report, jitter=1).outcome.status)
        pass_time(1000)
        ledger.parked.take_ready(10)
    return statuses


def test_a_missing_object_is_refused_at_the_third_try(ledger, pass_time):
    admit(ledger, "m", refs("a"))

    statuses = tried(ledger, pass_time, Report(Outcome("refused", "no-such-key", "gone")), 3)

    assert statuses == ["parked", "parked", "refused"]


def test_a_bug_is_parked_and_refused_at_the_fifth_try(ledger, pass_time):
    admit(ledger, "m", refs("a"))

    statuses = tried(ledger, pass_time, Report(Outcome("parked", "internal", "?")), 5)

    assert statuses == ["parked"] * 4 + ["refused"]


def test_a_denied_object_is_refused_only_if_others_of_its_bucket_are_read(ledger, pass_time):
    denied = Report(
        Outcome("parked", "access-denied", "no"), breakers=(Failing("bucket:prod:acme-logs"),)
    )
    admit(ledger, "m", refs("a"))

    alone = tried(ledger, pass_time, denied, 7)
    ledger.breakers.note_success("bucket:prod:acme-logs")
    held = claim(ledger, "m", generation=8, task="task-8")

    assert alone == ["parked"] * 7
    assert ledger.outcomes.write(held, denied, jitter=1).outcome.status == "refused"


def test_the_wait_of_a_parked_object_doubles_to_a_quarter_of_an_hour(ledger, client, pass_time):
    admit(ledger, "m", refs("a"))
    waits = []

    for each in range(10):
        held = claim(ledger, "m", generation=each + 1, task=f"task-{each}")
        ledger.outcomes.write(held, NETWORK, jitter=1)
        due = client.zscore("trailcourier:1:s:prod:parked", "m/0")
        seconds, micros = client.time()
        now = seconds * 1000 + micros // 1000 + int(client.get("trailcourier:1:offset") or 0)
        waits.append(round((due - now) / 1000))
        pass_time(1000)
        ledger.parked.take_ready(10)

    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_an_object_that_killed_workers_runs_alone_at_once_for_a_new_message(ledger):
    admit(ledger, "m", refs("a"))
    killed = Report(Outcome("refused", "kills-worker", "5 starts, no end"))
    ledger.outcomes.write(claim(ledger, "m"), killed, jitter=1)
    admit(ledger, "n", refs("a"))

    assert ask(ledger, "n").kind == "alone"
    assert ask(ledger, "n", alone=True).kind == "go"


def test_a_success_closes_the_breaker_it_belongs_to(ledger):
    admit(ledger, "m", refs("a"))
    for each in range(4):
        ledger.breakers.count_failure("sink:archive", f"o{each}", reason="sink-error", text="no")
    report = Report(Outcome("delivered"), etag="e1", succeeded=["sink:archive"])

    ledger.outcomes.write(claim(ledger, "m"), report, jitter=1)

    assert not ledger.breakers.count_failure("sink:archive", "o9", reason="sink-error", text="no")


def test_the_first_success_closes_a_breaker_and_says_so(ledger):
    admit(ledger, "m", refs("a", "b"))
    report = Report(Outcome("delivered"), succeeded=["bucket:prod:acme-logs", "sink:archive"])
    one, other = (claim(ledger, "m", at, task=f"task-{at}") for at in range(2))
    ledger.breakers.count_failure("sink:archive", "o", reason="sink-error", text="no", limit=1)

    closed = [ledger.outcomes.write(held, report, jitter=1).closed for held in (one, other)]

    assert closed == [["sink:archive"], []]


@pytest.mark.parametrize("outcome", [Outcome("pending", "stopping"), Outcome("parked", "archived")])
def test_a_success_closes_a_breaker_whatever_the_objects_outcome(ledger, outcome):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m")
    ledger.breakers.count_failure("sink:archive", "o", reason="sink-error", text="no", limit=1)

    written = ledger.outcomes.write(held, Report(outcome, succeeded=["sink:archive"]), jitter=1)

    assert written.closed == ["sink:archive"]


def test_the_fifth_distinct_object_opens_the_breaker_and_says_so(ledger):
    opened = []
    admit(ledger, "m", refs(*"abcde"))

    for each in range(5):
        held = claim(ledger, "m", each, task=f"task-{each}")
        opened.append(ledger.outcomes.write(held, NETWORK, jitter=1).opened)

    assert opened == ["", "", "", "", "bucket:prod:acme-logs"]
    assert [b.text for b in ledger.breakers.list_open()] == ["no route"]


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        pytest.param(Fault("credentials", "x"), "credentials:prod", id="credentials"),
        pytest.param(Fault("kms", "x"), "bucket:prod:b", id="bucket"),
        pytest.param(Fault("sink-busy", "x", where="siem"), "sink:siem", id="sink"),
        pytest.param(Fault("archived", "x"), "", id="none"),
    ],
)
def test_the_breaker_of_each_fault_is_the_one_its_reason_names(fault, name):
    names = [each.name for each in breakers_of_fault("prod", fault, ObjectRef("b", "k"))]
    assert names == ([name] if name else [])


def test_a_source_lists_the_breakers_of_its_own_sinks_only(client, ledger):
    for each in range(5):
        ledger.breakers.count_failure("sink:siem", f"o{each}", reason="sink-error", text="no")

    beside = Ledger(client, "dev", Numbers(), sinks=("archive",))
    concerned = Ledger(client, "dev", Numbers(), sinks=("archive", "siem"))

    assert beside.breakers.list_open() == []
    assert [breaker.name for breaker in concerned.breakers.list_open()] == ["sink:siem"]


SINK = "sink:archive"
REJECTS = Report(
    Outcome("parked", "sink-rejects-all", "no"),
    breakers=[Failing(SINK)],
    state={"a:archive": "[0]"},
)


def accepted(ledger, message, *, ago=0, host=""):
    """Deliver one object; its sink accepted the last record *ago* milliseconds ago."""
    admit(ledger, message, refs(message))
    granted = claim(ledger, message)
    report = Report(
        Outcome("delivered"),
        etag="e",
        succeeded=[SINK],
        succeeded_at={SINK: granted.claimed_at - ago},
    )
    ledger.outcomes.write(granted, report, jitter=1, host=host)


def rejected(ledger, *messages, host=""):
    for message in messages:
        admit(ledger, message, refs(message))
        ledger.outcomes.write(claim(ledger, message), REJECTS, jitter=1, host=host)


def tried_again(ledger, message="m", host=""):
    (again,) = [due for due in ledger.parked.take_ready(10) if due.message == message]
    return ask(ledger, message, generation=again.generation, host=host)


def vouched(ledger, message="m", host=""):
    return tried_again(ledger, message, host).progress.sinks_accepting_others


def test_a_sink_vouches_for_its_rejections_once_it_accepted_another_object(ledger, pass_time):
    rejected(ledger, "m")
    pass_time(10)
    accepted(ledger, "other")

    assert vouched(ledger) == ("archive",)


def test_a_sink_that_accepted_others_only_earlier_vouches_for_nothing(ledger, pass_time):
    accepted(ledger, "other")
    pass_time(1)
    rejected(ledger, "m")
    pass_time(10)

    assert vouched(ledger) == ()


def test_an_acceptance_is_dated_by_the_record_not_by_the_outcome(ledger, pass_time):
    rejected(ledger, "m")
    pass_time(10)
    accepted(ledger, "slow", ago=10_500)

    assert vouched(ledger) == ()


def test_a_sink_that_has_failed_since_vouches_for_nothing(ledger, pass_time):
    rejected(ledger, "m")
    pass_time(10)
    accepted(ledger, "other")
    rejected(ledger, "next")

    assert vouched(ledger) == ()


def test_an_acceptance_before_the_clock_was_set_back_vouches_for_nothing(ledger, pass_time):
    accepted(ledger, "other")
    pass_time(-100)
    rejected(ledger, "m")
    pass_time(200)

    assert vouched(ledger) == ()


def test_records_in_doubt_are_kept_after_a_refusal_for_another_reason(ledger, pass_time):
    """The file was missing for a while; once it is back, delivery continues where it was."""
    half = {"p:archive": 10, "l:archive": "[0,1]", "a:archive": "[1]"}
    admit(ledger, "m", refs("m"))
    busy = Report(Outcome("parked", "sink-busy"), etag="e", state=half)
    ledger.outcomes.write(claim(ledger, "m"), busy, jitter=1)
    pass_time(10)
    gone = Report(Outcome("refused", "delete-marker"))
    ledger.outcomes.write(tried_again(ledger).claim, gone, jitter=1)

    admit(ledger, "new", refs("m"))
    standing = ask(ledger, "new").progress

    assert (standing.next, standing.resend) == ({"archive": 10}, {"archive": (0, 1)})
    assert standing.rejected_alone == {}


@pytest.mark.parametrize(("ago", "opens"), [(0, []), (10_500, [SINK])])
def test_a_success_removes_the_failures_before_it(ledger, pass_time, ago, opens):
    rejected(ledger, "a", "b", "c", "d")
    pass_time(10)
    accepted(ledger, "other", ago=ago)

    rejected(ledger, "e")

    assert [each.name for each in ledger.breakers.list_open()] == opens


@pytest.mark.parametrize(("asks", "for_sinks"), [("one", ()), ("two", SINKS)])
def test_a_success_on_another_host_vouches_for_nothing(ledger, pass_time, asks, for_sinks):
    """A proxy between one host and the sink may reject what the sink would accept."""
    for host in ("one", "two"):
        ledger.workers.note_heartbeat(f"object@{host}", 8)
    rejected(ledger, "m", host="one")
    pass_time(10)
    accepted(ledger, "other", host="two")

    assert vouched(ledger, host=asks) == for_sinks


@pytest.mark.parametrize(("alone", "for_sinks"), [("[0]", SINKS), ("[0,1]", ())])
def test_a_sink_vouches_only_for_rejections_before_it_accepted_another(
    ledger, pass_time, alone, for_sinks
):
    """Another record of the object may be rejected later, in a try that began earlier."""
    for host in ("one", "two"):
        ledger.workers.note_heartbeat(f"object@{host}", 8)
    rejected(ledger, "m", host="one")
    pass_time(100)
    held = tried_again(ledger, host="one").claim
    accepted(ledger, "other", host="one")
    pass_time(1)
    again = msgspec.structs.replace(REJECTS, state={"a:archive": alone})
    ledger.outcomes.write(held, again, jitter=1, host="one")
    pass_time(200)

    assert vouched(ledger, host="one") == for_sinks


FULL = Report(Outcome("parked", "sink-full", "no"), breakers=[Failing(SINK, here=True)])


def test_a_sink_vouches_although_a_host_failed_before_the_rejection(ledger, pass_time):
    for host in ("one", "two"):
        ledger.workers.note_heartbeat(f"object@{host}", 8)
    admit(ledger, "before", refs("before"))
    ledger.outcomes.write(claim(ledger, "before"), FULL, jitter=1, host="one")
    pass_time(1)
    rejected(ledger, "m", host="two")
    pass_time(10)
    admit(ledger, "other", refs("other"))
    report = Report(Outcome("delivered"), etag="e", succeeded=[SINK])
    ledger.outcomes.write(claim(ledger, "other"), report, jitter=1, host="two")

    assert vouched(ledger, host="two") == ("archive",)


def test_a_sink_vouches_although_the_object_had_another_fault_since(ledger, pass_time):
    rejected(ledger, "m")
    pass_time(10)
    granted = tried_again(ledger).claim
    ledger.outcomes.write(granted, FULL, jitter=1)
    pass_time(1)
    accepted(ledger, "other")
    pass_time(60)

    assert vouched(ledger) == ("archive",)


def test_a_sink_does_not_vouch_for_another_sink(ledger, pass_time):
    other = msgspec.structs.replace(
        REJECTS, breakers=[Failing("sink:siem")], state={"a:siem": "[0]"}
    )
    admit(ledger, "m", refs("m"))
    ledger.outcomes.write(claim(ledger, "m"), other, jitter=1)
    pass_time(10)
    accepted(ledger, "other")

    assert vouched(ledger) == ()


def test_a_success_from_before_a_breaker_opened_does_not_close_it(ledger, pass_time):
    admit(ledger, "slow", refs("slow", "new"))
    slow, new = claim(ledger, "slow", 0), claim(ledger, "slow", 1)
    rejected(ledger, *"abcde")
    pass_time(1)
    report = Report(
        Outcome("delivered"), etag="e", succeeded=[SINK], succeeded_at={SINK: slow.claimed_at}
    )

    ledger.outcomes.write(slow, report, jitter=1)
    still = [each.name for each in ledger.breakers.list_open()]
    ledger.outcomes.write(new, msgspec.structs.replace(report, succeeded_at={}), jitter=1)

    assert (still, ledger.breakers.list_open()) == ([SINK], [])


@pytest.mark.parametrize(
    "rejects",
    [
        pytest.param(REJECTS, id="of content"),
        pytest.param(
            msgspec.structs.replace(REJECTS, breakers=[Failing(SINK, here=True)]), id="of a host"
        ),
        pytest.param(
            Report(Outcome("parked", "sink-rejects-all", "no"), waits_for=SINK), id="in doubt"
        ),
    ],
)
def test_a_full_sink_that_now_rejects_all_gets_another_object(ledger, pass_time, rejects):
    """The parked object proves nothing about the sink, whatever the breaker opened for."""
    full = Report(Outcome("parked", "sink-full", "disk full"), breakers=[Failing(SINK)])
    for opener in "abcde":
        admit(ledger, opener, refs(opener))
        ledger.outcomes.write(claim(ledger, opener), full, jitter=1)
    pass_time(30)
    (probe,) = ledger.parked.take_ready(10)
    again = claim(ledger, probe.message, generation=probe.generation)
    for host in ("one", "two"):
        ledger.workers.note_heartbeat(f"objects@{host}/1", 8)
    ledger.outcomes.write(again, rejects, jitter=1, host="one")
    pass_time(12)  # the next probe is due; others are let through first
    ledger.workers.note_heartbeat("w1", 1)

    assert not ledger.parked.take_ready(10)
    assert ledger.room.measure(SINKS).objects == 1
    (breaker,) = ledger.breakers.list_open()
    assert breaker.reason == "sink-rejects-all"


@pytest.mark.parametrize(
    ("report", "own", "soon"),
    [
        pytest.param(FULL, f"{SINK}@one", True, id="of a host"),
        pytest.param(REJECTS, "", False, id="of content"),
    ],
)
def test_repeated_failures_of_one_object_on_one_host_open_its_breaker(
    ledger, pass_time, report, own, soon
):
    """It would be retried on that host for hours, where that host has most of the threads."""
    failures = Numbers().breaker_failures
    admit(ledger, "m", refs("m"))
    held, ended = claim(ledger, "m"), []
    for _ in range(failures):
        for host in ("one", "two"):
            ledger.workers.note_heartbeat(f"object@{host}", 8)
        ended.append(ledger.outcomes.write(held, report, jitter=1, host="one"))
        if len(ended) < failures:
            pass_time(300)
            (due,) = ledger.parked.take_ready(10)
            held = claim(ledger, "m", generation=due.generation)

    assert [each.opened for each in ended] == [""] * (failures - 1) + [own]
    pass_time(Numbers().park_first + 1)
    assert bool(ledger.parked.take_ready(10)) is soon  # and another host may have it


def test_a_sink_vouches_although_the_brokers_clock_was_set_back(ledger, pass_time):
    rejected(ledger, "m")
    pass_time(-3600)
    held = tried_again(ledger).claim
    ledger.outcomes.write(held, REJECTS, jitter=1)
    pass_time(100)
    accepted(ledger, "other")
    pass_time(1)

    assert vouched(ledger) == SINKS


def test_failures_of_one_object_on_two_hosts_do_not_open_the_sinks_breaker(ledger, pass_time):
    """A proxy in front of the sink may end the connection because of that object's content."""
    admit(ledger, "m", refs("m"))
    held = claim(ledger, "m")
    for host in ("one", "two") * Numbers().breaker_failures:
        for each in ("one", "two"):
            ledger.workers.note_heartbeat(f"object@{each}", 8)
        ledger.outcomes.write(held, FULL, jitter=0.1, host=host)
        pass_time(100)
        (due,) = ledger.parked.take_ready(10)
        held = claim(ledger, "m", generation=due.generation)

    assert {each.name for each in ledger.breakers.list_open()} == {f"{SINK}@one", f"{SINK}@two"}


def test_a_success_before_the_brokers_clock_was_set_back_vouches_for_nothing(ledger, pass_time):
    accepted(ledger, "other")
    pass_time(-3600)
    rejected(ledger, "m")
    pass_time(10)

    assert vouched(ledger) == ()
