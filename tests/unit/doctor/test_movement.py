"""Whether anything moves, by what SQS counts and what the ledger holds."""

import pytest

from trailcourier.doctor.movement import (
    ENTRIES,
    Movement,
    judge_deliveries,
    judge_readers,
    judge_receives,
)

MOVING = {
    "visible": 3, "hidden": 2, "held": 2, "received": 5.0, "delivered": 30.0, "waited": 60.0,
}  # fmt: skip
STILL = {"received": 4000.0, "delivered": 4000.0, "waited": 3600.0}


def judged(judge, facts):
    found = judge(Movement(**(MOVING | facts)))
    assert found.level in ENTRIES[found.id].levels
    return found


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        pytest.param({}, "ok", id="just-asked"),
        pytest.param({"visible": 0} | STILL, "ok", id="none-waits"),
        pytest.param({"visible": None}, "not-checked", id="count-not-known"),
        pytest.param({"received": 300.0}, "ok", id="busy"),
        pytest.param(STILL, "error", id="not-asked-for-an-hour"),
        pytest.param(STILL | {"received": None, "delivered": None}, "error", id="never-asked"),
        pytest.param(STILL | {"waited": 60.0}, "not-checked", id="they-came-just-now"),
        pytest.param(STILL | {"waited": None}, "not-checked", id="how-long-is-not-known"),
        pytest.param(STILL | {"ever": False}, "error", id="no-process-ever"),
    ],
)
def test_messages_that_wait_are_received(facts, level):
    assert judged(judge_receives, facts).level == level


def test_where_no_process_ever_ran_the_fix_is_to_start_one():
    assert "trailcourier run" in judged(judge_receives, STILL | {"ever": False}).fix
    assert "trailcourier run" in judged(judge_deliveries, STILL | {"ever": False}).fix


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        pytest.param({}, "ok", id="all-ours"),
        pytest.param({"hidden": None}, "not-checked", id="count-not-known"),
        pytest.param({"hidden": 13}, "ok", id="busy-and-some-are-between"),
        pytest.param({"hidden": 200}, "error", id="busy-and-far-too-many"),
        pytest.param({"hidden": 3, "delivered": 900.0}, "error", id="idle-and-one-too-many"),
        pytest.param({"hidden": 1, "held": 0, "delivered": None}, "error", id="never-delivered"),
        pytest.param({"hidden": 2, "delivered": 900.0}, "ok", id="idle-and-all-ours"),
    ],
)
def test_a_message_that_the_ledger_does_not_hold_has_another_reader(facts, level):
    assert judged(judge_readers, facts).level == level


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        pytest.param({}, "ok", id="just-delivered"),
        pytest.param({"delivered": 4000.0}, "ok", id="nothing-waits"),
        pytest.param({"delivered": None}, "not-checked", id="not-yet"),
        pytest.param({"delivered": None, "waited": 3600.0}, "error", id="never"),
        pytest.param({"delivered": 4000.0, "waited": 3600.0}, "error", id="not-for-an-hour"),
    ],
)
def test_what_waits_is_delivered(facts, level):
    assert judged(judge_deliveries, facts).level == level


def test_where_nothing_was_delivered_the_text_says_where_the_objects_are():
    facts = {"delivered": None, "waited": 3600.0, "parked": 4, "quarantined": 2, "in_flight": 1}

    found = judged(judge_deliveries, facts)

    assert found.text == (
        "the last delivery: never, although something has waited for 60 min; objects: 1 in "
        "flight, 4 parked, 2 in quarantine"
    )
