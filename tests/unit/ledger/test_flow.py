import pytest

from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import Failing
from trailcourier.ledger.workers import Presence
from trailcourier.models import Numbers, Outcome

NETWORK = Report(
    Outcome("parked", "network", "no route"), breakers=(Failing("bucket:prod:acme-logs"),)
)
SINKS = ("archive",)


def open_breaker(ledger, name):
    for each in range(5):
        ledger.breakers.failed(name, f"o{each}", reason="network", text="no")


def test_there_is_no_room_without_workers(ledger, pass_time):
    without = ledger.flow.room(SINKS)
    ledger.workers.heartbeat("w1", 8)
    alive = ledger.flow.room(SINKS)
    pass_time(31)

    assert (without.objects, without.why) == (0, "no-workers")
    assert alive.objects == 32
    assert ledger.flow.room(SINKS).why == "no-workers"


def test_a_worker_that_leaves_takes_its_room_along(ledger):
    ledger.workers.heartbeat("w1", 8)
    ledger.workers.heartbeat("w2", 8)

    ledger.workers.gone("w2")

    assert ledger.flow.room(SINKS).objects == 32


def test_the_room_is_capped_and_shrinks_by_what_is_in_flight(ledger):
    ledger.workers.heartbeat("w1", 100)
    admit(ledger, "m", refs(*(str(i) for i in range(250))))

    assert ledger.flow.room(SINKS).objects == 6


@pytest.mark.parametrize(
    ("threads", "in_flight", "room", "why"),
    [
        pytest.param(8, 22, 10, "", id="a full receive"),
        pytest.param(8, 23, 9, "in-flight", id="less than one"),
        pytest.param(1, 2, 2, "", id="half of all there is"),
        pytest.param(1, 3, 1, "in-flight", id="less than half"),
        pytest.param(1, 4, 0, "in-flight", id="none"),
        pytest.param(1, 5, 0, "in-flight", id="less than none"),
    ],
)
def test_little_room_is_told_from_enough(ledger, threads, in_flight, room, why):
    ledger.workers.heartbeat("w1", threads)
    admit(ledger, "m", refs(*(str(i) for i in range(in_flight))))

    found = ledger.flow.room(SINKS)

    assert (found.objects, found.why) == (room, why)


def test_with_one_object_at_a_time_there_is_room_for_it(client):
    ledger = Ledger(client, "prod", Numbers(in_flight=1))
    ledger.workers.heartbeat("w1", 8)

    assert ledger.flow.room(SINKS).why == ""


def test_parked_objects_cost_no_room(client):
    ledger = Ledger(client, "prod", Numbers(parked=1))
    ledger.workers.heartbeat("w1", 8)
    admit(ledger, "m", refs("a"))

    ledger.outcomes.finish(claim(ledger, "m"), NETWORK, jitter=1)

    assert ledger.flow.room(SINKS).objects == 32


def test_an_open_sink_stops_the_poll_and_an_open_bucket_does_not(ledger):
    ledger.workers.heartbeat("w1", 8)
    open_breaker(ledger, "bucket:prod:acme-logs")
    with_bucket = ledger.flow.room(SINKS)

    open_breaker(ledger, "sink:archive")

    assert with_bucket.objects == 32
    assert ledger.flow.room(SINKS).why == "sink:archive"


def test_an_open_queue_is_probed_by_one_receive_every_half_minute(ledger, pass_time):
    ledger.workers.heartbeat("w1", 8)
    open_breaker(ledger, "queue:prod")

    at_once = ledger.flow.room(SINKS)
    pass_time(31)
    probe, second = ledger.flow.room(SINKS), ledger.flow.room(SINKS)

    assert (at_once.objects, probe.objects, second.objects) == (0, 1, 0)


def test_a_queue_that_one_host_of_two_cannot_reach_holds_up_that_host_alone(ledger, pass_time):
    for host in ("sick", "well"):
        roles = Presence(roles=("control",), host=host)
        ledger.workers.heartbeat(f"control@{host}/1", 0, roles)
        ledger.workers.heartbeat(f"objects@{host}/2", 8)
    for each in range(5):
        ledger.breakers.failed("queue:prod", f"r{each}", reason="network", text="", host="sick")

    sick, well = ledger.flow.room(SINKS, "sick"), ledger.flow.room(SINKS, "well")
    pass_time(6)
    probe = ledger.flow.room(SINKS, "sick")
    closed = ledger.breakers.succeeded("queue:prod", "sick")

    assert (sick.objects, sick.why, well.objects) == (0, "queue:prod@sick", 64)
    assert (probe.objects, closed) == (1, ("queue:prod@sick",))


def test_a_queue_that_no_host_reaches_is_the_queues_fault(ledger):
    for host in ("one", "two"):
        roles = Presence(roles=("control",), host=host)
        ledger.workers.heartbeat(f"control@{host}/1", 0, roles)
    for each in range(10):
        host = ("one", "two")[each % 2]
        ledger.breakers.failed("queue:prod", f"r{each}", reason="network", text="", host=host)

    assert [each.name for each in ledger.breakers.open()] == ["queue:prod"]


def test_an_open_sink_with_nothing_left_to_probe_it_is_probed_by_a_receive(ledger, pass_time):
    ledger.workers.heartbeat("w1", 8)
    open_breaker(ledger, "sink:archive")
    pass_time(31)

    assert ledger.flow.room(SINKS).objects == 1


def test_the_object_that_such_a_receive_brings_is_the_probe(ledger, pass_time):
    ledger.workers.heartbeat("w1", 8)
    open_breaker(ledger, "sink:archive")
    pass_time(31)
    ledger.flow.room(SINKS)
    admit(ledger, "m", refs("a", "b"))

    kinds = [ask(ledger, index, SINKS).kind for index in (0, 1)]

    assert kinds == ["go", "parked"]


def test_an_object_that_one_sink_holds_back_takes_no_probe_of_another(ledger, pass_time):
    admit(ledger, "m", refs("a", "b"))
    open_breaker(ledger, "sink:archive")
    pass_time(31)
    open_breaker(ledger, "sink:siem")

    held, probe = ask(ledger, 0, ("archive", "siem")), ask(ledger, 1, ("archive",))

    assert (held.kind, held.outcome, probe.kind) == ("parked", "sink:siem", "go")


def ask(ledger, index, sinks):
    return ledger.claims.claim(
        "m", index, 1, token=f"token-{index}", task_id=f"task-{index}", sinks=sinks
    )


def test_only_one_polls_a_source_and_another_may_after_it(ledger):
    first, second = ledger.flow.poll_lease(0), ledger.flow.poll_lease(0)

    assert first.take()
    assert not second.take()
    assert ledger.flow.poll_lease(1).take()
    first.release()
    assert second.take()


def test_a_poll_lease_that_is_not_renewed_for_ten_seconds_is_free(ledger, pass_time):
    killed, next_one = ledger.flow.poll_lease(0), ledger.flow.poll_lease(0)
    killed.take()
    pass_time(9)
    killed.renew()
    pass_time(9)

    assert not next_one.take()
    pass_time(1)
    assert next_one.take()
    assert not killed.renew()


def test_a_poll_lease_renewed_after_its_release_stays_free(ledger):
    ended = ledger.flow.poll_lease(0)
    ended.take()
    ended.release()

    assert not ended.renew()
    assert ledger.flow.poll_lease(0).take()


def test_waiting_in_the_broker_is_not_being_lost(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    pass_time(3600)

    assert ledger.flow.lost(idle=False, keep=False).due == ()


def test_a_forward_overtaken_by_one_dispatched_half_a_minute_later_is_lost(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    pass_time(31)
    admit(ledger, "n", refs("b"))

    claim(ledger, "n")

    due = ledger.flow.lost(idle=False, keep=False).due
    assert [(d.message, d.generation) for d in due] == [("m", 2)]


def test_a_forward_is_lost_when_nothing_waits_in_the_broker(ledger, pass_time):
    admit(ledger, "m", refs("a"))

    fresh = ledger.flow.lost(idle=True, keep=False).due
    pass_time(11)

    assert fresh == ()
    assert len(ledger.flow.lost(idle=True, keep=False).due) == 1
    assert ledger.flow.lost(idle=True, keep=False).due == ()


def test_a_forward_whose_claim_ended_without_an_outcome_is_lost(ledger, client):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m")

    running = ledger.flow.lost(idle=True, keep=False).due
    client.delete(b"trailcourier:1:s:prod:c:" + held.oid)

    assert running == ()
    assert len(ledger.flow.lost(idle=False, keep=False).due) == 1


@pytest.mark.parametrize("keep", [False, True], ids=["given-back", "kept-where-degraded"])
def test_a_lease_dispatched_again_three_times_in_vain_is_given_back(ledger, pass_time, keep):
    admit(ledger, "m", refs("a"))
    found = []

    for _ in range(4):
        pass_time(11)
        found.append(ledger.flow.lost(idle=True, keep=keep))

    assert [len(each.due) for each in found] == [1, 1, 1, int(keep)]
    assert [each.in_vain for each in found] == [(), (), (), () if keep else ("m",)]


def parked(ledger, message="m", objects=("a",)):
    admit(ledger, message, refs(*objects))
    held = [claim(ledger, message, i, task=f"task-{message}-{i}") for i in range(len(objects))]
    for each in held:
        ledger.outcomes.finish(each, NETWORK, jitter=1)


def test_a_parked_object_is_ready_when_due_and_handed_out_once(ledger, pass_time):
    parked(ledger)

    early = ledger.parked.ready(10)
    pass_time(11)
    due = ledger.parked.ready(10)

    assert early == ledger.parked.ready(10) == ()
    assert [(d.message, d.index, d.generation) for d in due] == [("m", 0, 2)]
    assert ledger.flow.in_hand() == (1, 0, 1)


def test_behind_an_open_breaker_one_parked_object_is_handed_out_as_a_probe(ledger, pass_time):
    parked(ledger, "m", tuple("abcdef"))
    pass_time(40)

    assert len(ledger.parked.ready(10)) == 1
    assert ledger.parked.ready(10) == ()


def test_when_the_breaker_closes_what_waited_behind_it_is_released_step_by_step(ledger, pass_time):
    parked(ledger, "m", tuple("abcdef"))
    pass_time(1)

    ledger.breakers.succeeded("bucket:prod:acme-logs")

    assert [len(ledger.parked.ready(10)) for _ in range(4)] == [1, 2, 3, 0]


def test_a_forward_lost_before_the_brokers_clock_was_put_back_is_dispatched_again(
    ledger, pass_time
):
    admit(ledger, "m", refs("a"))
    pass_time(-3600)

    due = ledger.flow.lost(idle=True, keep=False).due

    assert [(each.message, each.index) for each in due] == [("m", 0)]


def test_no_more_parked_objects_are_handed_out_than_there_is_room(ledger, pass_time):
    parked(ledger, "m", tuple("abc"))
    pass_time(11)

    assert len(ledger.parked.ready(2)) == 2
    assert ledger.parked.ready(0) == ()


def test_being_degraded_is_noted_for_an_hour_and_told_once(ledger, pass_time):
    assert [ledger.flow.degrade(), ledger.flow.degrade()] == [True, False]
    pass_time(3599)
    assert ledger.flow.degraded()
    pass_time(2)
    assert not ledger.flow.degraded()
