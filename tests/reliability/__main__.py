"""``make storm``: strike a real fleet at random for some minutes, and compare every record.

``make storm ARGS="--minutes 10 --seed 7"``.  As root the outputs get a small disk of their own,
which is filled now and then; otherwise that kind of strike is left out.
"""

import argparse
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.reliability.conftest import world
from tests.reliability.storm import LINE, Storm, only, repeated
from tests.reliability.weather import DRY, EVERYTHING, Weather
from trailcourier.errors import TrailcourierError

DISK = "size=48m,mode=0700"  # the sink distrusts a folder that others may write to


def main() -> int:
    """Run one storm; the exit status is 0 where nothing was lost, altered or stood still."""
    given = arguments()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="storm-")))
        filled = given.sink == "archive" and mounted(folder / "out", stack)
        weather = Weather(
            given.seed,
            60 * given.minutes,
            int(480 * given.minutes),
            (EVERYTHING if filled else DRY) * max(1, round(given.minutes)),
        )
        made = stack.enter_context(world(folder, persist=True, **LINE))
        only(made, given.sink)
        print(repeated(made, weather), flush=True)
        complaints = weathered(Storm(made, weather), given.patience)
    print("\n".join(complaints) or "nothing lost, nothing altered, nothing deleted early; all well")
    return 1 if complaints else 0


def weathered(storm: Storm, patience: float) -> list[str]:
    """Go through *storm* and say what came of it; what must not be, in a line each."""
    storm.gather()
    storm.rage()
    try:
        print(storm.summary(storm.subside(patience)))
    except AssertionError as error:
        return [str(error), *storm.complaints()]
    return storm.complaints()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make storm", description="Strike a real fleet at random."
    )
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--sink", choices=["archive", "siem"], default="archive")
    parser.add_argument(
        "--patience", type=float, default=300.0, help="seconds after the last strike"
    )
    return parser.parse_args()


def mounted(folder: Path, stack: contextlib.ExitStack) -> bool:
    """Give *folder* a small disk of its own, until *stack* ends; only root may."""
    folder.mkdir()
    if os.geteuid() != 0 or sys.platform != "linux":
        return False
    mount = ["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        return False
    stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=False)
    return True


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except TrailcourierError as error:
        raise SystemExit(f"storm: {error}") from error
