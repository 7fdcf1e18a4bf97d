from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import Failing
from trailcourier.models import Outcome

NETWORK = Report(
    Outcome("parked", "network", "no route"), breakers=(Failing("bucket:prod:acme-logs"),)
)


def parked(ledger, message="m", objects=("a",)):
    admit(ledger, message, refs(*objects))
    held = [claim(ledger, message, i, task=f"task-{message}-{i}") for i in range(len(objects))]
    for each in held:
        ledger.outcomes.write(each, NETWORK, jitter=1)


def test_a_parked_object_is_ready_when_due_and_handed_out_once(ledger, pass_time):
    parked(ledger)

    early = ledger.parked.take_ready(10)
    pass_time(11)
    due = ledger.parked.take_ready(10)

    assert early == ledger.parked.take_ready(10) == ()
    assert [(d.message, d.index, d.generation) for d in due] == [("m", 0, 2)]
    assert ledger.room.count_in_hand() == (1, 0, 1)


def test_behind_an_open_breaker_one_parked_object_is_handed_out_as_a_probe(ledger, pass_time):
    parked(ledger, "m", tuple("abcdef"))
    pass_time(40)

    assert len(ledger.parked.take_ready(10)) == 1
    assert ledger.parked.take_ready(10) == ()


def test_when_a_breaker_closes_its_parked_objects_are_released_step_by_step(ledger, pass_time):
    parked(ledger, "m", tuple("abcdef"))
    pass_time(1)

    ledger.breakers.note_success("bucket:prod:acme-logs")

    assert [len(ledger.parked.take_ready(10)) for _ in range(4)] == [1, 2, 3, 0]


def test_no_more_parked_objects_are_handed_out_than_there_is_room(ledger, pass_time):
    parked(ledger, "m", tuple("abc"))
    pass_time(11)

    assert len(ledger.parked.take_ready(2)) == 2
    assert ledger.parked.take_ready(0) == ()
