"""Several worlds in one process, by turns, on one server.

Each world runs in a greenlet of its own until it asks the server something.  When all of them
wait, what they asked goes out in one write and each goes on with its answers: a round trip takes
many times as long as the server's work on one command, so together they are several times as fast.

No world notices the others.  What happens in one depends on its plan alone.
"""

from collections.abc import Generator, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from greenlet import getcurrent, greenlet

from tests.simulation.database import Database
from tests.simulation.plan import Plan
from tests.simulation.run import Result, result_of
from tests.simulation.server import Ask, Server
from tests.simulation.world import World

AT_ONCE = 8  # worlds


class NotRun(NamedTuple):
    """A plan whose world raised *error*: a fault of the simulation, not of what it tries."""

    plan: Plan
    error: Exception


def run(given: Plan, server: Server) -> Result:
    """Run *given* alone; raises what its world raised."""
    (result,) = run_all([given], server)
    if isinstance(result, NotRun):
        raise result.error
    return result


def run_all(
    plans: Iterable[Plan], server: Server, at_once: int = AT_ONCE
) -> Generator[Result | NotRun, None, None]:
    """Run all *plans*, so many *at_once*, and give each result as soon as it is there.

    Whoever closes this iterator early has the server to themselves: worlds that run are ended.
    """
    coming, places = iter(plans), list(range(at_once))
    seats: list[Seat] = []
    try:
        while True:
            seats += [Seat(server, places.pop(), given) for given in islice(coming, len(places))]
            if not seats:
                return
            _take_turns(server, seats)
            for seat in [seat for seat in seats if not isinstance(seat.turn, Ask)]:
                seats.remove(seat)
                places.append(seat.place)
                yield seat.turn
    finally:
        for seat in seats:
            seat.stop()
        while seats:
            _take_turns(server, seats)
            seats = [seat for seat in seats if isinstance(seat.turn, Ask)]


def _take_turns(server: Server, seats: Sequence["Seat"]) -> None:
    """Have all answered that wait, and let each go on until it asks again or has ended."""
    asking = [seat for seat in seats if isinstance(seat.turn, Ask)]
    server.answer([seat.turn for seat in asking])
    for seat in asking:
        seat.go_on()


class Seat:
    """A place among the worlds that run by turns, and the world that has it."""

    def __init__(self, server: Server, place: int, given: Plan) -> None:
        self.place = place
        self.turn: Ask | Result | NotRun | None = None  # what the world does not go on without
        self._hub = getcurrent()
        self._world: World | None = None
        self._waits = greenlet(lambda: self._run(server, given), parent=self._hub)
        self.go_on()

    def go_on(self) -> None:
        """Run until the world asks the next time, or has ended; raises what ends everything."""
        waits, self.turn = self._waits, None
        self.turn = waits.switch()

    def stop(self) -> None:
        """Have the world end as soon as it can."""
        if self._world is not None:
            self._world.schedule.finish()

    def _wait(self, ask: Ask) -> None:
        """Return when *ask* is answered; called in whichever greenlet of the world runs."""
        self._waits = getcurrent()
        self._hub.switch(ask)

    def _run(self, server: Server, given: Plan) -> Result | NotRun:
        try:
            self._world = World(given, Database(server, self.place, self._wait))
            return result_of(self._world)
        except Exception as error:  # noqa: BLE001 - whoever asked for this plan is told
            return NotRun(given, error)
