"""Missing roles and stalled steps, from heartbeats and traces in the ledger."""

import re

import pytest

from tests.support.unit_fleets import NOTED, move, pulse, well
from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.ticks import Ticks
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS, ROLES
from trailcourier.models import Numbers, Outcome
from trailcourier.operations import standstill
from trailcourier.operations.status import read_status

NUMBERS = Numbers()


def found(ledger):
    return {each.kind: str(each) for each in read_status(ledger).problems}


def test_a_fleet_that_never_started_has_a_problem_for_each_role(ledger):
    look = read_status(ledger)

    assert [each.kind for each in look.problems] == [
        "no-control-worker",
        "no-object-worker",
        "no-tick",
    ]
    assert (look.state, look.moves) == ("no workers", False)
    assert "celery -A tasks worker -Q objects" in look.problems[1].fix


def test_a_source_is_well_only_if_every_step_left_its_trace(ledger):
    for role in ROLES:
        pulse(ledger, role)
    states = []
    for step in NOTED:
        states.append(read_status(ledger).state)
        move(ledger, step)

    assert states == ["stalled"] * 4
    assert read_status(ledger).state == "well"


@pytest.mark.parametrize("gone", [*ROLES, *NOTED])
def test_each_role_or_step_that_stops_is_the_only_problem_within_a_minute(ledger, pass_time, gone):
    well(ledger)

    pass_time(60)
    for role in set(ROLES) - {gone}:
        pulse(ledger, role)
    if gone not in {BEAT, CONTROL}:
        move(ledger, *(step for step in NOTED if step != gone))
    elif gone == CONTROL:
        move(ledger, "tick")

    kinds = {CONTROL: "no-control-worker", OBJECTS: "no-object-worker", BEAT: "no-tick"}
    kind = kinds.get(gone, f"no-{gone}")
    assert list(found(ledger)) == [kind]
    assert re.search(r"\(6\d s\)", found(ledger)[kind])


def test_a_tick_that_is_held_back_leaves_its_trace_too(ledger, pass_time):
    ticks = Ticks(ledger.store)
    sent = []
    for at in range(3):
        sent.append(ticks.send("queue", "poll:0", f"{at}:", ""))
        pass_time(10)

    assert sent == [True, True, False]
    assert not standstill.is_stalled(ledger.traces.read(), "tick", NUMBERS)
    pass_time(30)
    assert standstill.is_stalled(ledger.traces.read(), "tick", NUMBERS)


def later(ledger, pass_time, seconds=60):
    """Let *seconds* pass for a fleet that is well but for its forwards."""
    pass_time(seconds)
    well(ledger)


def test_objects_that_no_worker_takes_are_a_problem_within_a_minute(ledger, pass_time):
    well(ledger)
    admit(ledger, "m1", refs("a"))
    claim(ledger, "m1")
    at_once = found(ledger)
    later(ledger, pass_time)

    assert at_once == {}
    assert list(found(ledger)) == ["no-forward"]
    assert "See the log of objects@host/7 on host" in found(ledger)["no-forward"]


def test_a_renewed_claim_is_no_stall(ledger, pass_time):
    admit(ledger, "m1", refs("a"))
    claimed = claim(ledger, "m1")
    pass_time(20)
    ledger.claims.renew([claimed])
    later(ledger, pass_time, 40)

    assert found(ledger) == {}


def test_objects_that_wait_for_those_of_another_source_are_no_stall(ledger, client, pass_time):
    admit(ledger, "m1", refs("a"))
    other = Ledger(client, "dev", NUMBERS)
    admit(other, "m2", refs("b"))
    pass_time(60)
    other.outcomes.write(claim(other, "m2"), Report(Outcome("delivered")), jitter=1.0)
    well(ledger)

    assert found(ledger) == {}


def test_a_line_that_has_nothing_in_flight_needs_no_forward(ledger, pass_time):
    admit(ledger, "m1", refs("a"))
    ledger.outcomes.write(claim(ledger, "m1"), Report(Outcome("delivered")), jitter=1.0)
    later(ledger, pass_time, 7200)

    assert found(ledger) == {}


def test_the_last_heartbeat_of_a_role_outlives_its_process(ledger, pass_time):
    well(ledger)
    pass_time(7200)
    pulse(ledger, OBJECTS)

    assert [each.name for each in ledger.workers.list_processes().seen] == ["objects@host/7"]
    assert "No control worker since " in found(ledger)["no-control-worker"]
    assert "(2 h)" in found(ledger)["no-control-worker"]


def test_a_worker_that_leaves_is_missing_at_once(ledger):
    well(ledger)

    ledger.workers.remove("control@host/7")

    assert list(found(ledger)) == ["no-control-worker"]


def test_a_beat_that_ticks_for_other_sources_is_named(ledger, pass_time):
    well(ledger)
    pass_time(31)
    for role in ROLES:
        pulse(ledger, role)

    text = found(ledger)["no-tick"]

    assert "beat@host/7 on host is alive and sends none for this source" in text


def test_a_second_configuration_names_the_hosts_of_both(ledger):
    well(ledger)
    for host in ("b", "c", "d", "e\x1b[2J"):
        pulse(ledger, OBJECTS, host=host, config="0ther")

    text = found(ledger)["two-configurations"]

    assert text.startswith(
        "Two configurations in this fleet: 0ther on objects@b/7 on b, objects@c/7 on c, "
        "objects@d/7 on d and 1 more; c0ffee on beat@host/7 on host, "
    )
    assert "\x1b" not in text


def test_two_versions_are_reported_and_are_no_second_configuration(ledger):
    well(ledger)
    for host in ("b", "c"):
        pulse(ledger, OBJECTS, host=host, config="0ther", version="0.2.0")

    (warning,) = standstill.version_warnings(ledger.workers.list_processes())

    assert found(ledger) == {}
    assert warning.startswith("Two versions in this fleet: 0.1.0 on beat@host/7 on host, ")
    assert warning.endswith("; 0.2.0 on objects@b/7 on b, objects@c/7 on c")


def test_two_configurations_of_one_version_are_found_among_two_versions(ledger):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", config="newer", version="0.2.0")
    pulse(ledger, OBJECTS, host="c", config="0ther", version="0.2.0")

    text = found(ledger)["two-configurations"]

    assert text.startswith(
        "Two configurations in this fleet: 0ther on objects@c/7 on c; newer on objects@b/7 on b."
    )


def test_one_version_is_not_reported(ledger):
    well(ledger)

    assert list(standstill.version_warnings(ledger.workers.list_processes())) == []


def test_the_configuration_of_a_process_that_left_does_not_count(ledger, pass_time):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", config="0ther")
    ledger.workers.remove("objects@b/7")

    assert found(ledger) == {}


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (None, None),
        (4.9, None),
        (-4.9, None),
        (5.0, "5 s ahead of the broker's"),
        (-3600.2, "3600 s behind the broker's"),
    ],
)
def test_a_clock_is_reported_from_five_seconds_on(ledger, ahead, words):
    pulse(ledger, CONTROL, ahead=ahead)

    warnings = list(standstill.clock_warnings(ledger.workers.list_processes()))

    assert [words in each for each in warnings] == ([True] if words else [])


def test_the_clock_of_a_silent_process_is_not_reported(ledger, pass_time):
    pulse(ledger, CONTROL, ahead=60.0)
    pass_time(31)

    assert list(standstill.clock_warnings(ledger.workers.list_processes())) == []


@pytest.mark.parametrize(
    ("numbers", "step", "seconds"),
    [
        ({}, "tick", 30),
        ({}, "poll", 45),
        ({"poll": 60, "receive_wait": 20}, "poll", 95),
        ({}, "maintenance", 45),
        ({"maintenance": 60}, "settle", 135),
    ],
)
def test_the_allowed_silence_follows_the_settings(numbers, step, seconds):
    assert standstill.allowed_silence(step, Numbers(**numbers)) == seconds


@pytest.fixture
def full(client):
    """Make the broker refuse every command that needs memory."""

    def fill():
        client.config_set("maxmemory", "1")

    yield fill
    client.config_set("maxmemory", "0")


def test_a_full_broker_makes_no_role_missing_and_no_step_stalled(ledger, full, pass_time):
    well(ledger)
    admit(ledger, "m1", refs("a"))
    claimed = claim(ledger, "m1")
    pass_time(50)
    full()

    well(ledger)
    ledger.claims.renew([claimed])

    assert found(ledger) == {}


def test_reading_the_status_writes_nothing(ledger, client, pass_time):
    well(ledger)
    pass_time(-3600)
    before = {key: client.dump(key) for key in client.keys("*")}

    read_status(ledger)

    assert {key: client.dump(key) for key in client.keys("*")} == before


def test_the_memory_of_short_lived_processes_is_bounded(ledger, client, pass_time):
    for at in range(200):
        pulse(ledger, OBJECTS, host=f"container-{at}")
        pass_time(10)

    assert client.hlen("trailcourier:1:workers") <= kept_processes()
    assert client.hlen("trailcourier:1:seen") == 1


def kept_processes():
    """One process each ten seconds, remembered for ten minutes."""
    return 61
