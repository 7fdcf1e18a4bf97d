import pytest

from tests.unit.ledger.conftest import AsksTwice, admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import Failing
from trailcourier.ledger.workers import Presence
from trailcourier.models import Numbers, Outcome

NETWORK = Report(
    Outcome("parked", "network", "no route"), breakers=(Failing("bucket:prod:acme-logs"),)
)
SINKS = ("archive",)


@pytest.fixture(params=["answers arrive", "answers are lost"])
def ledger(client, request):
    """A ledger of a fleet in which a thread may have four objects in flight."""
    lost = request.param == "answers are lost"
    numbers = Numbers(in_flight_per_thread=4)
    return Ledger(AsksTwice(client) if lost else client, "prod", numbers)


def open_breaker(ledger, name):
    for each in range(5):
        ledger.breakers.count_failure(name, f"o{each}", reason="network", text="no")


def test_there_is_no_room_without_workers(ledger, pass_time):
    without = ledger.room.measure(SINKS)
    ledger.workers.note_heartbeat("w1", 8)
    alive = ledger.room.measure(SINKS)
    pass_time(31)

    assert (without.objects, without.why) == (0, "no-workers")
    assert alive.objects == 32
    assert ledger.room.measure(SINKS).why == "no-workers"


def test_the_room_shrinks_when_a_worker_stops(ledger):
    ledger.workers.note_heartbeat("w1", 8)
    ledger.workers.note_heartbeat("w2", 8)

    ledger.workers.remove("w2")

    assert ledger.room.measure(SINKS).objects == 32


def test_the_room_is_capped_and_shrinks_by_what_is_in_flight(ledger):
    ledger.workers.note_heartbeat("w1", 100)
    admit(ledger, "m", refs(*(str(i) for i in range(250))))

    assert ledger.room.measure(SINKS).objects == 6


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
def test_room_for_less_than_a_receive_is_reported_as_in_flight(
    ledger, threads, in_flight, room, why
):
    ledger.workers.note_heartbeat("w1", threads)
    admit(ledger, "m", refs(*(str(i) for i in range(in_flight))))

    found = ledger.room.measure(SINKS)

    assert (found.objects, found.why) == (room, why)


def test_with_one_object_at_a_time_there_is_room_for_it(client):
    ledger = Ledger(client, "prod", Numbers(in_flight=1, in_flight_per_thread=4))
    ledger.workers.note_heartbeat("w1", 8)

    assert ledger.room.measure(SINKS).why == ""


@pytest.mark.parametrize("open_one", ["sink:archive", "credentials:prod"])
def test_one_object_is_received_where_no_parked_object_can_probe_the_open_breaker(
    ledger, pass_time, open_one
):
    """An object that waits for a bucket denied for ever never reaches the sink."""
    ledger.workers.note_heartbeat("w1", 8)
    admit(ledger, "m", refs("m", "n"))
    denied = Report(Outcome("parked", "access-denied"), breakers=[Failing("bucket:prod:acme")])
    ledger.outcomes.write(claim(ledger, "m"), denied, jitter=1)
    other = claim(ledger, "m", 1)
    for at in range(5):
        ledger.breakers.count_failure(open_one, f"o{at}", reason="sink-busy", text="no")
    pass_time(31)
    flying = ledger.room.measure(SINKS).objects
    ledger.outcomes.write(other, denied, jitter=1)
    beside_others = ledger.room.measure(SINKS).objects
    again = ledger.room.measure(SINKS).objects  # what was received may not reach it either

    assert (flying, beside_others, again) == (0, 1, 0)


@pytest.mark.parametrize(("waiting", "room"), [(4, 1), (5, 0)])
def test_a_sink_with_fewer_parked_objects_than_open_a_breaker_gets_other_objects(
    ledger, pass_time, waiting, room
):
    """The objects may be at fault themselves, which is why one object alone opens no breaker."""
    for each in "abcde":
        admit(ledger, each, refs(each))
        busy = Report(Outcome("parked", "sink-busy"), breakers=[Failing("sink:archive")])
        ledger.outcomes.write(claim(ledger, each), busy, jitter=1)
    ledger.leases.forget(list("abcde"[waiting:]), "leases:given-up")
    pass_time(31)
    ledger.workers.note_heartbeat("w1", 8)

    first, second = ledger.room.measure(SINKS), ledger.room.measure(SINKS)

    assert (first.objects, second.objects) == (room, 0)  # one in a pause
    assert first.why == ("" if room else "sink:archive")


def test_parked_objects_cost_no_room(client):
    ledger = Ledger(client, "prod", Numbers(parked=1, in_flight_per_thread=4))
    ledger.workers.note_heartbeat("w1", 8)
    admit(ledger, "m", refs("a"))

    ledger.outcomes.write(claim(ledger, "m"), NETWORK, jitter=1)

    assert ledger.room.measure(SINKS).objects == 32


def test_an_open_sink_stops_the_poll_and_an_open_bucket_does_not(ledger):
    ledger.workers.note_heartbeat("w1", 8)
    open_breaker(ledger, "bucket:prod:acme-logs")
    with_bucket = ledger.room.measure(SINKS)

    open_breaker(ledger, "sink:archive")

    assert with_bucket.objects == 32
    assert ledger.room.measure(SINKS).why == "sink:archive"


def test_an_open_queue_is_probed_by_one_receive_every_half_minute(ledger, pass_time):
    ledger.workers.note_heartbeat("w1", 8)
    open_breaker(ledger, "queue:prod")

    at_once = ledger.room.measure(SINKS)
    pass_time(31)
    probe, second = ledger.room.measure(SINKS), ledger.room.measure(SINKS)

    assert (at_once.objects, probe.objects, second.objects) == (0, 1, 0)


def test_a_queue_that_one_host_of_two_cannot_reach_holds_up_that_host_alone(ledger, pass_time):
    for host in ("sick", "well"):
        roles = Presence(roles=("control",), host=host)
        ledger.workers.note_heartbeat(f"control@{host}/1", 0, roles)
        ledger.workers.note_heartbeat(f"objects@{host}/2", 8)
    for each in range(5):
        ledger.breakers.count_failure(
            "queue:prod", f"r{each}", reason="network", text="", host="sick"
        )

    sick, well = ledger.room.measure(SINKS, "sick"), ledger.room.measure(SINKS, "well")
    pass_time(6)
    probe = ledger.room.measure(SINKS, "sick")
    closed = ledger.breakers.note_success("queue:prod", "sick")

    assert (sick.objects, sick.why, well.objects) == (0, "queue:prod@sick", 64)
    assert (probe.objects, closed) == (1, ("queue:prod@sick",))


def test_a_queue_that_no_host_reaches_is_the_queues_fault(ledger):
    for host in ("one", "two"):
        roles = Presence(roles=("control",), host=host)
        ledger.workers.note_heartbeat(f"control@{host}/1", 0, roles)
    for each in range(10):
        host = ("one", "two")[each % 2]
        ledger.breakers.count_failure(
            "queue:prod", f"r{each}", reason="network", text="", host=host
        )

    assert [each.name for each in ledger.breakers.list_open()] == ["queue:prod"]


def test_an_open_sink_with_nothing_left_to_probe_it_is_probed_by_a_receive(ledger, pass_time):
    ledger.workers.note_heartbeat("w1", 8)
    open_breaker(ledger, "sink:archive")
    pass_time(31)

    assert ledger.room.measure(SINKS).objects == 1


def test_the_object_received_for_a_probe_takes_the_probe(ledger, pass_time):
    ledger.workers.note_heartbeat("w1", 8)
    open_breaker(ledger, "sink:archive")
    pass_time(31)
    ledger.room.measure(SINKS)
    admit(ledger, "m", refs("a", "b"))

    kinds = [ask(ledger, index, SINKS).kind for index in (0, 1)]

    assert kinds == ["go", "parked"]


def test_an_object_parked_for_one_sink_takes_no_probe_of_another(ledger, pass_time):
    admit(ledger, "m", refs("a", "b"))
    open_breaker(ledger, "sink:archive")
    pass_time(31)
    open_breaker(ledger, "sink:siem")

    held, probe = ask(ledger, 0, ("archive", "siem")), ask(ledger, 1, ("archive",))

    assert (held.kind, held.breaker, probe.kind) == ("parked", "sink:siem", "go")


def ask(ledger, index, sinks):
    return ledger.claims.claim(
        "m", index, 1, token=f"token-{index}", task_id=f"task-{index}", sinks=sinks
    )
