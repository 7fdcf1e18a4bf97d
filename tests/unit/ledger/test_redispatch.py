import pytest

from tests.unit.ledger.conftest import admit, claim, refs


def test_a_forward_that_waits_in_the_broker_is_not_lost(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    pass_time(3600)

    assert ledger.redispatch.take_lost(idle=False, keep=False).due == ()


def test_a_forward_overtaken_by_one_dispatched_half_a_minute_later_is_lost(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    pass_time(31)
    admit(ledger, "n", refs("b"))

    claim(ledger, "n")

    due = ledger.redispatch.take_lost(idle=False, keep=False).due
    assert [(d.message, d.generation) for d in due] == [("m", 2)]


def test_a_forward_is_lost_when_nothing_waits_in_the_broker(ledger, pass_time):
    admit(ledger, "m", refs("a"))

    fresh = ledger.redispatch.take_lost(idle=True, keep=False).due
    pass_time(11)

    assert fresh == ()
    assert len(ledger.redispatch.take_lost(idle=True, keep=False).due) == 1
    assert ledger.redispatch.take_lost(idle=True, keep=False).due == ()


def test_a_forward_whose_claim_ended_without_an_outcome_is_lost(ledger, client):
    admit(ledger, "m", refs("a"))
    held = claim(ledger, "m")

    running = ledger.redispatch.take_lost(idle=True, keep=False).due
    client.delete(b"trailcourier:1:s:prod:c:" + held.oid)

    assert running == ()
    assert len(ledger.redispatch.take_lost(idle=False, keep=False).due) == 1


@pytest.mark.parametrize("keep", [False, True], ids=["released", "kept-where-degraded"])
def test_a_lease_redispatched_three_times_in_vain_is_released(ledger, pass_time, keep):
    admit(ledger, "m", refs("a"))
    found = []

    for _ in range(4):
        pass_time(11)
        found.append(ledger.redispatch.take_lost(idle=True, keep=keep))

    assert [len(each.due) for each in found] == [1, 1, 1, int(keep)]
    assert [each.in_vain for each in found] == [(), (), (), () if keep else ("m",)]


def test_a_forward_that_was_not_redispatched_yet_counts_as_no_dispatch_in_vain(ledger, pass_time):
    """One run dispatches 500; the others of a large message wait for the next runs."""
    admit(ledger, "m", refs(*(f"o{at}" for at in range(2000))))
    found = []

    for _ in range(4):
        pass_time(11)
        found.append(ledger.redispatch.take_lost(idle=True, keep=False))

    assert [(len(each.due), each.in_vain) for each in found] == [(500, ())] * 4
    assert len({due.index for each in found for due in each.due}) == 2000


def test_a_forward_lost_before_the_brokers_clock_was_set_back_is_redispatched(ledger, pass_time):
    admit(ledger, "m", refs("a"))
    pass_time(-3600)

    due = ledger.redispatch.take_lost(idle=True, keep=False).due

    assert [(each.message, each.index) for each in due] == [("m", 0)]
