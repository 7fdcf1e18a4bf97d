"""What is printed of a run, and of a seed that failed."""

from tests.simulation.hub import run
from tests.simulation.planner import plan
from tests.simulation.run import Result
from tests.simulation.server import Server
from tests.simulation.shrink import Choice, shrink

TOLD = 10  # failures of one seed
LINES = 200  # of a history


def tell(choice: Choice, result: Result) -> None:
    """Print what came of one run."""
    print(f"seed {choice.seed}, {result.plan.profile}: {result.simulated:g} s simulated, "
          f"{len(result.history.steps)} steps, {result.history.digest()}")  # fmt: skip
    for event in result.plan.events:
        print(f"  at {event.at / 1000:g} s {event}")
    for strike in result.strikes:
        print(f"  {strike}")
    for failure in result.failures[:TOLD]:
        print(f"  ! {failure.kind}: {failure.told}")
    if len(result.failures) > TOLD:
        print(f"  ! and {len(result.failures) - TOLD} more")
    if result.failures:
        print(f"  {choice.command()}")


def tell_smallest(seed: int, profile: str, without: tuple[str, ...], server: Server) -> None:
    """Run a failed seed again, make it smaller, and print the end of its history."""
    failed = run(plan(seed, profile, without), server)
    if not failed.failures:
        print(f"seed {seed} did not fail again")
        return
    choice, small = shrink(failed, server, without=without)
    print(*small.history.lines()[-LINES:], sep="\n")
    tell(choice, small)
