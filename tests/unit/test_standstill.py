"""What does not move, from who is there and which step left its trace."""

import re

import pytest

from tests.unit.fleets import NOTED, move, pulse, well
from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier import standstill
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.ticks import Ticks
from trailcourier.ledger.workers import BEAT, CONTROL, OBJECTS, ROLES
from trailcourier.models import Numbers, Outcome
from trailcourier.status import standing

NUMBERS = Numbers()


def found(ledger):
    return {each.kind: str(each) for each in standing(ledger).problems}


def test_a_fleet_that_was_never_there_is_said_in_its_causes(ledger):
    look = standing(ledger)

    assert [each.kind for each in look.problems] == [
        "no-control-worker",
        "no-object-worker",
        "no-tick",
    ]
    assert (look.state, look.moves) == ("no workers", False)
    assert "celery -A tasks worker -Q objects" in look.problems[1].fix


def test_it_is_well_only_if_every_step_left_its_trace(ledger):
    for role in ROLES:
        pulse(ledger, role)
    states = []
    for step in NOTED:
        states.append(standing(ledger).state)
        move(ledger, step)

    assert states == ["stands still"] * 4
    assert standing(ledger).state == "well"


@pytest.mark.parametrize("gone", [*ROLES, *NOTED])
def test_whatever_stops_is_an_error_within_a_minute_and_the_only_one(ledger, pass_time, gone):
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


def test_a_tick_leaves_its_trace_also_where_enough_of_its_kind_wait(ledger, pass_time):
    ticks = Ticks(ledger.store)
    sent = []
    for at in range(3):
        sent.append(ticks.send("queue", "poll:0", f"{at}:", ""))
        pass_time(10)

    assert sent == [True, True, False]
    assert not standstill.still(ledger.traces.last(), "tick", NUMBERS)
    pass_time(30)
    assert standstill.still(ledger.traces.last(), "tick", NUMBERS)


def later(ledger, pass_time, seconds=60):
    """The same fleet, well but for its forwards, so many seconds later."""
    pass_time(seconds)
    well(ledger)


def test_objects_that_nobody_takes_are_an_error_within_a_minute(ledger, pass_time):
    well(ledger)
    admit(ledger, "m1", refs("a"))
    claim(ledger, "m1")
    at_once = found(ledger)
    later(ledger, pass_time)

    assert at_once == {}
    assert list(found(ledger)) == ["no-forward"]
    assert "See the log of objects@host/7 on host" in found(ledger)["no-forward"]


def test_a_claim_that_is_renewed_moves(ledger, pass_time):
    admit(ledger, "m1", refs("a"))
    claimed = claim(ledger, "m1")
    pass_time(20)
    ledger.claims.renew([claimed])
    later(ledger, pass_time, 40)

    assert found(ledger) == {}


def test_objects_that_wait_for_those_of_another_source_do_not_stand_still(
    ledger, client, pass_time
):
    admit(ledger, "m1", refs("a"))
    other = Ledger(client, "dev", NUMBERS)
    admit(other, "m2", refs("b"))
    pass_time(60)
    other.outcomes.finish(claim(other, "m2"), Report(Outcome("delivered")), jitter=1.0)
    well(ledger)

    assert found(ledger) == {}


def test_a_line_that_has_nothing_in_flight_needs_no_forward(ledger, pass_time):
    admit(ledger, "m1", refs("a"))
    ledger.outcomes.finish(claim(ledger, "m1"), Report(Outcome("delivered")), jitter=1.0)
    later(ledger, pass_time, 7200)

    assert found(ledger) == {}


def test_since_when_a_worker_is_gone_is_known_after_it_is_forgotten(ledger, pass_time):
    well(ledger)
    pass_time(7200)
    pulse(ledger, OBJECTS)

    assert [each.name for each in ledger.workers.roll().seen] == ["objects@host/7"]
    assert "No control worker since " in found(ledger)["no-control-worker"]
    assert "(2 h)" in found(ledger)["no-control-worker"]


def test_a_worker_that_leaves_is_gone_at_once(ledger):
    well(ledger)

    ledger.workers.gone("control@host/7")

    assert list(found(ledger)) == ["no-control-worker"]


def test_a_clock_that_ticks_for_others_is_told_from_one_that_is_gone(ledger, pass_time):
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


def test_two_versions_are_said_and_are_no_second_configuration(ledger):
    well(ledger)
    for host in ("b", "c"):
        pulse(ledger, OBJECTS, host=host, config="0ther", version="0.2.0")

    (said,) = standstill.versions(ledger.workers.roll())

    assert found(ledger) == {}
    assert said.startswith("Two versions in this fleet: 0.1.0 on beat@host/7 on host, ")
    assert said.endswith("; 0.2.0 on objects@b/7 on b, objects@c/7 on c")


def test_two_configurations_of_one_version_are_found_among_two_versions(ledger):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", config="newer", version="0.2.0")
    pulse(ledger, OBJECTS, host="c", config="0ther", version="0.2.0")

    text = found(ledger)["two-configurations"]

    assert text.startswith(
        "Two configurations in this fleet: 0ther on objects@c/7 on c; newer on objects@b/7 on b."
    )


def test_one_version_is_not_worth_a_word(ledger):
    well(ledger)

    assert list(standstill.versions(ledger.workers.roll())) == []


def test_the_configuration_of_who_is_gone_counts_no_more(ledger, pass_time):
    well(ledger)
    pulse(ledger, OBJECTS, host="b", config="0ther")
    ledger.workers.gone("objects@b/7")

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
def test_a_clock_is_named_from_five_seconds_on(ledger, ahead, words):
    pulse(ledger, CONTROL, ahead=ahead)

    said = list(standstill.clocks(ledger.workers.roll()))

    assert [words in each for each in said] == ([True] if words else [])


def test_the_clock_of_who_is_gone_is_nobodys_concern(ledger, pass_time):
    pulse(ledger, CONTROL, ahead=60.0)
    pass_time(31)

    assert list(standstill.clocks(ledger.workers.roll())) == []


@pytest.mark.parametrize(
    ("numbers", "step", "seconds"),
    [
        ({}, "tick", 30),
        ({}, "poll", 45),
        ({"poll": 60, "receive_wait": 20}, "poll", 95),
        ({}, "tend", 45),
        ({"tend": 60}, "settle", 135),
    ],
)
def test_a_step_may_take_what_its_settings_say(numbers, step, seconds):
    assert standstill.bound(step, Numbers(**numbers)) == seconds


@pytest.fixture
def full(client):
    """Have the broker refuse whatever needs memory, from now on."""

    def fill():
        client.config_set("maxmemory", "1")

    yield fill
    client.config_set("maxmemory", "0")


def test_a_broker_that_is_full_makes_nobody_dead_and_nothing_stand_still(ledger, full, pass_time):
    well(ledger)
    admit(ledger, "m1", refs("a"))
    claimed = claim(ledger, "m1")
    pass_time(50)
    full()

    well(ledger)
    ledger.claims.renew([claimed])

    assert found(ledger) == {}


def test_looking_writes_nothing(ledger, client, pass_time):
    well(ledger)
    pass_time(-3600)
    before = {key: client.dump(key) for key in client.keys("*")}

    standing(ledger)

    assert {key: client.dump(key) for key in client.keys("*")} == before


def test_what_is_remembered_of_a_fleet_that_comes_and_goes_is_bounded(ledger, client, pass_time):
    for at in range(200):
        pulse(ledger, OBJECTS, host=f"container-{at}")
        pass_time(10)

    assert client.hlen("trailcourier:1:workers") <= standstill_kept()
    assert client.hlen("trailcourier:1:seen") == 1


def standstill_kept():
    """Those heard of within ten minutes, one each ten seconds."""
    return 61
