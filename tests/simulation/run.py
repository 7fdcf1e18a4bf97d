"""Run one plan, and say what came of it."""

import dataclasses
import time

from tests.simulation.checks import Checks, Failure
from tests.simulation.history import History
from tests.simulation.plan import Plan
from tests.simulation.server import Server
from tests.simulation.strikes import Strike
from tests.simulation.world import World


@dataclasses.dataclass(frozen=True)
class Result:
    """What one run came to."""

    plan: Plan
    failures: tuple[Failure, ...]
    strikes: tuple[Strike, ...]
    history: History
    met: dict[tuple[str, str], int]
    points: tuple[str, ...]
    seconds: float
    simulated: float


def run(given: Plan, server: Server) -> Result:
    """Run *given* from its beginning to its end."""
    began = time.perf_counter()
    world = World(given, server)
    checks = Checks(world)
    world.checks = checks
    try:
        world.run()
        checks.at_end()
    finally:
        server.well()
    return Result(
        plan=given,
        failures=tuple(checks.failures),
        strikes=tuple(world.strikes.drawn),
        history=world.history,
        met=dict(world.strikes.met),
        points=tuple(world.strikes.calls),
        seconds=time.perf_counter() - began,
        simulated=world.schedule.now / 1000,
    )
