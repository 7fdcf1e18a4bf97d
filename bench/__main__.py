"""What Trailcourier measures about itself: ``python -m bench``."""

import argparse
import datetime as dt
import json
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from bench import hotpath, machine, picture, report
from bench.bucket import Missing
from bench.figures import ENOUGH, figures, stub_is_fast
from bench.measured import QUICK, Plan, measured

HERE = Path(__file__).parent


def main() -> None:
    """Measure, write the page and the picture, and end with one JSON line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="see that it works, within a minute")
    parser.add_argument("--seconds", type=float, help="time for each figure of the hot path")
    parser.add_argument("--into", type=Path, help="where the page and the picture go")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    seconds = asked.seconds or (1 if asked.quick else 10)
    told = {f"hotpath_{n}_vs_plain": (hotpath.ratio(n, seconds), "ratio") for n in (200, 5000)}
    began = time.monotonic()
    try:
        found = measured(QUICK if asked.quick else Plan(), _say)
    except Missing as missing:
        raise SystemExit(f"bench: {missing}") from missing
    line = figures(found)
    told |= {each.name: (each.value, each.unit) for each in line}
    if asked.into or not asked.quick:
        into = asked.into or HERE
        facts = machine.facts(found.broker, HERE)
        date = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
        (into / "results.md").write_text(report.page(found, line, facts, date))
        picture.draw(found, into / "results.png")
    _say(f"the line took {time.monotonic() - began:.0f} s to measure")
    if not stub_is_fast(found):
        _say(f"the SQS stub is not {ENOUGH} times as fast as the line: believe no rate")
    for name, (value, unit) in told.items():
        print(json.dumps({"figure": name, "value": _rounded(value), "unit": unit}))


def _say(text: str) -> None:
    print(text, flush=True)


def _end(number: int, _frame: object) -> NoReturn:
    """Leave as an exception does, so that all that was started is ended."""
    sys.exit(128 + number)


def _rounded(value: float) -> float:
    """Three digits say as much as there is to say."""
    return float(f"{value:.3g}")


if __name__ == "__main__":
    main()
