"""Run one world to its end, and say what came of it."""

import dataclasses

from tests.simulation.checks import Checks, Failure
from tests.simulation.history import History
from tests.simulation.plan import Plan
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
    simulated: float


def result_of(world: World) -> Result:
    """Run *world* from its beginning to its end."""
    checks = Checks(world)
    world.checks = checks
    world.run()
    checks.at_end()
    return Result(
        plan=world.plan,
        failures=tuple(checks.failures),
        strikes=tuple(world.strikes.drawn),
        history=world.history,
        met=dict(world.strikes.met),
        points=tuple(world.strikes.calls),
        simulated=world.schedule.now / 1000,
    )
