"""A host that fails by itself takes one object now and then, and says why."""

from trailcourier.clock import SystemClock
from trailcourier.line.fitness import Fitness, pause
from trailcourier.models import Numbers

OWN = "sink:archive@sick"


class Still(SystemClock):
    """A clock that a test sets."""

    at = 1000.0

    def monotonic(self) -> float:
        return self.at


def test_a_host_that_is_well_takes_what_there_is_room_for():
    fitness = Fitness("well", Still())

    assert (fitness.room(8, 30), fitness.why()) == (8, "")


def test_a_host_that_fails_takes_one_object_every_pause():
    clock = Still()
    fitness = Fitness("sick", clock)
    fitness.note_open(OWN, "sink-full: no space left on device")

    taken = []
    for _ in range(4):
        taken += [fitness.room(8, 30), fitness.room(8, 30)]
        clock.at += 15

    assert taken == [1, 0, 0, 0, 1, 0, 0, 0]
    assert fitness.why() == f"{OWN}: sink-full: no space left on device"


def test_others_come_before_a_sick_host_takes_the_same_object_again():
    assert pause(Numbers()) == Numbers().breaker_probe
    assert pause(Numbers(breaker_probe=10, maintenance=20)) == 60


def test_its_own_success_makes_it_fit_again():
    fitness = Fitness("sick", Still())
    fitness.note_open(OWN, "full")

    fitness.note_closed(["sink:archive", OWN])

    assert (fitness.room(8, 30), fitness.why()) == (8, "")


def test_it_is_fit_again_when_the_fault_turned_out_to_be_everybodys():
    fitness = Fitness("sick", Still())
    fitness.note_open(OWN, "full")

    fitness.keep_open(["sink:archive"])

    assert fitness.why() == ""


def test_room_that_is_not_there_uses_up_no_try():
    fitness = Fitness("sick", Still())
    fitness.note_open(OWN, "full")

    assert [fitness.room(0, 30), fitness.room(8, 30)] == [0, 1]
