"""What all forwards of a process share, with real threads."""

import threading
from collections.abc import Callable

import pytest

from tests.support.clocks import Fast
from tests.support.fleet import until
from trailcourier.errors import Stale
from trailcourier.ledger.claims import Claim
from trailcourier.line.live_claims import LiveClaims
from trailcourier.line.process_limits import Budget, Gate
from trailcourier.models import ObjectRef

SECONDS = 10


def in_thread(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def take(budget: Budget, wanted: int, entered: threading.Event, leave: threading.Event) -> None:
    with budget.take(wanted, before_waiting=lambda: None):
        entered.set()
        leave.wait(SECONDS)


def test_who_needs_more_than_is_left_waits_until_it_is_given_back():
    budget = Budget(100)
    first, second, leave = threading.Event(), threading.Event(), threading.Event()
    in_thread(lambda: take(budget, 70, first, leave))
    assert first.wait(SECONDS)

    waiting = in_thread(lambda: take(budget, 40, second, leave))

    assert not second.wait(0.1)
    leave.set()
    assert second.wait(SECONDS)
    waiting.join(SECONDS)


def test_who_must_wait_is_notified_before_and_after():
    budget = Budget(100)
    entered, leave, must_wait = threading.Event(), threading.Event(), threading.Event()
    in_thread(lambda: take(budget, 100, entered, leave))
    assert entered.wait(SECONDS)
    answers = []

    def wait_for_it() -> None:
        with budget.take(1, before_waiting=must_wait.set) as waited:
            answers.append(waited)

    waiting = in_thread(wait_for_it)
    assert must_wait.wait(SECONDS)
    leave.set()
    waiting.join(SECONDS)

    assert answers == [True]


def test_who_waits_is_asked_whether_to_go_on_and_holds_nothing_if_not():
    budget = Budget(100)

    def stop() -> None:
        raise Stale("overtaken")

    with (
        budget.take(100, before_waiting=pytest.fail),
        pytest.raises(Stale),
        budget.take(1, before_waiting=int, waiting=stop),
    ):
        pytest.fail("there was no room")
    with budget.take(100, before_waiting=pytest.fail):
        pass


def test_one_that_wants_more_than_there_is_gets_all_of_it_alone():
    budget = Budget(100)

    with budget.take(1000, before_waiting=pytest.fail) as waited:
        assert not waited
    with budget.take(100, before_waiting=pytest.fail):
        pass


def test_a_budget_is_whole_again_after_an_error():
    budget = Budget(100)

    with pytest.raises(ValueError, match="in the middle"), budget.take(100, before_waiting=int):
        raise ValueError("in the middle")

    with budget.take(100, before_waiting=pytest.fail):
        pass


def waiter(budget: Budget, wanted: int, name: str, order: list[str]) -> threading.Event:
    """Want bytes from a thread; the answer is set once it waits, or has got them."""
    waits = threading.Event()

    def want() -> None:
        with budget.take(wanted, before_waiting=lambda: None, waiting=waits.set):
            order.append(name)
            waits.set()

    in_thread(want)
    return waits


def test_a_large_one_that_waits_is_not_overtaken_by_small_ones_that_came_later():
    budget, order = Budget(100), []
    with budget.take(40, before_waiting=pytest.fail):
        with budget.take(40, before_waiting=pytest.fail):
            assert waiter(budget, 90, "large", order).wait(SECONDS)
            assert waiter(budget, 10, "small", order).wait(SECONDS)
            assert order == []
        assert waiter(budget, 10, "late", order).wait(SECONDS)
        assert order == []

    until(lambda: len(order) == 3)
    assert order[0] == "large"


def test_one_that_gives_up_waiting_lets_those_behind_it_through():
    budget, order, given_up = Budget(100), [], threading.Event()

    def stop() -> None:
        if given_up.is_set():
            raise Stale("overtaken")

    def give_up() -> None:
        with pytest.raises(Stale), budget.take(90, before_waiting=int, waiting=stop):
            order.append("large")

    with budget.take(40, before_waiting=pytest.fail):
        large = in_thread(give_up)
        until(lambda: len(budget._turns))
        assert waiter(budget, 10, "small", order).wait(SECONDS)
        given_up.set()
        large.join(SECONDS)
        until(lambda: order)

    assert order == ["small"]


RUNNING = threading.Event()


class Visitors:
    """Threads that go through a gate, and what they did, in order."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.gate = Gate(self.stopping)
        self.order: list[str] = []
        self.threads: list[threading.Thread] = []

    def come(self, name: str) -> threading.Event:
        """Go in, as ``alone-1`` or ``shared-1``; it is inside until the answer is set."""
        leave, way = threading.Event(), getattr(self.gate, name.partition("-")[0])

        def visit() -> None:
            with way() as inside:
                self.order.append(name if inside else f"{name} left")
                assert not inside or leave.wait(SECONDS)

        before = len(self.order) + len(self.gate._turns)
        self.threads.append(in_thread(visit))
        until(lambda: len(self.order) + len(self.gate._turns) > before)
        return leave

    def end(self) -> None:
        for thread in self.threads:
            thread.join(SECONDS)
            assert not thread.is_alive()


@pytest.fixture
def visitors():
    made = Visitors()
    yield made
    made.end()


def test_many_share_the_gate_and_one_alone_waits_for_them_and_keeps_newcomers_out(visitors):
    first = [visitors.come(f"shared-{n}") for n in (1, 2)]
    rest = [visitors.come("alone-3"), visitors.come("shared-4")]

    assert visitors.order == ["shared-1", "shared-2"]
    for each in (*first, *rest):
        each.set()
    visitors.end()
    assert visitors.order == ["shared-1", "shared-2", "alone-3", "shared-4"]


def test_one_that_shares_is_not_overtaken_by_others_that_want_to_be_alone(visitors):
    names = ["alone-1", "shared-2", "alone-3", "alone-4", "shared-5", "shared-6"]

    leave = [visitors.come(name) for name in names]
    for each in leave:
        each.set()
    visitors.end()

    assert visitors.order == names


@pytest.mark.parametrize("way", ["shared", "alone"])
def test_whoever_waits_at_the_gate_leaves_when_asked_to_stop_and_holds_nobody_up(visitors, way):
    first = visitors.come("alone-1")
    visitors.come(f"{way}-2")

    visitors.stopping.set()
    until(lambda: len(visitors.order) == 2)
    visitors.stopping.clear()
    third = visitors.come("shared-3")
    assert visitors.order == ["alone-1", f"{way}-2 left"]
    first.set()
    third.set()
    visitors.end()

    assert visitors.order[-1] == "shared-3"


def test_an_error_inside_leaves_the_gate_open():
    gate = Gate(threading.Event())
    for way in (gate.alone, gate.shared):
        with pytest.raises(ValueError, match="inside"), way():
            raise ValueError("inside")

    with gate.alone() as inside:
        assert inside


class Renewals:
    """Claims of the ledger, without one: says what was renewed, and refuses on demand."""

    def __init__(self) -> None:
        self.renewed = threading.Semaphore(0)
        self.keep = True

    def renew(self, claims):
        for _ in claims:
            self.renewed.release()
        return [self.keep for _ in claims]


def holds(*, life: float, stall: float) -> LiveClaims:
    return LiveClaims(
        life=life, stall=stall * 300, stopping=threading.Event(), clock=Fast(), keeps_alive=True
    )


CLAIM = Claim("m", 0, "token", "task", b"oid", ObjectRef("b", "k"))


def test_a_claim_is_renewed_again_and_again_while_it_is_held():
    claims = Renewals()

    with holds(life=60, stall=60).kept(claims, CLAIM):
        assert all(claims.renewed.acquire(timeout=SECONDS) for _ in range(3))


def test_a_forward_whose_claim_was_overtaken_hears_of_it():
    claims = Renewals()
    claims.keep = False

    with holds(life=60, stall=60).kept(claims, CLAIM) as hold:
        assert claims.renewed.acquire(timeout=SECONDS)
        until(lambda: hold.lost)
        with pytest.raises(Stale):
            hold.move()


def test_a_forward_that_stood_still_asks_whether_it_was_overtaken_before_it_goes_on():
    claims = Renewals()
    claims.keep = False

    with holds(life=0, stall=60).kept(claims, CLAIM) as hold, pytest.raises(Stale):
        hold.move()


def test_a_forward_that_was_not_overtaken_goes_on_after_standing_still():
    claims = Renewals()

    with holds(life=0, stall=60).kept(claims, CLAIM) as hold:
        hold.move()

    assert claims.renewed.acquire(timeout=0)


def test_a_forward_that_gets_nowhere_is_not_renewed():
    claims = Renewals()
    both = holds(life=60, stall=0)

    with both.kept(claims, CLAIM) as stuck, both.kept(claims, CLAIM) as moving:
        stuck.moved = moving.moved = 0
        assert not claims.renewed.acquire(timeout=0.2)


def test_a_broker_that_is_away_does_not_end_the_renewing():
    claims = Renewals()
    failures = iter([ConnectionError("gone"), ConnectionError("gone")])
    renew = claims.renew

    def sometimes(held):
        for failure in failures:
            raise failure
        return renew(held)

    claims.renew = sometimes

    with holds(life=60, stall=60).kept(claims, CLAIM):
        assert claims.renewed.acquire(timeout=SECONDS)
