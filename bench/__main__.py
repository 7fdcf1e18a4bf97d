"""The benchmark of Trailcourier: ``python -m bench``."""

import argparse
import datetime as dt
import json
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from bench import hotpath, machine, picture, report
from bench.bucket import MissingProgram
from bench.figures import ENOUGH, figures, stub_is_fast
from bench.measurements import QUICK, Plan, measure_all

HERE = Path(__file__).parent


def main() -> None:
    """Measure, write the page and the picture, and print one JSON line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only see that it works, within a minute"
    )
    parser.add_argument(
        "--seconds", type=float, help="measuring time for each figure of the hot path"
    )
    parser.add_argument(
        "--into", type=Path, help="folder for the page and the picture (default: bench/)"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    seconds = options.seconds or (1 if options.quick else 10)
    printed = {
        f"hotpath_{n}_vs_plain": (hotpath.measure_speedup(n, seconds), "ratio") for n in (200, 5000)
    }
    began = time.monotonic()
    try:
        measured = measure_all(QUICK if options.quick else Plan(), _say)
    except MissingProgram as missing:
        raise SystemExit(f"bench: {missing}") from missing
    line = figures(measured)
    printed |= {each.name: (each.value, each.unit) for each in line}
    if options.into or not options.quick:
        into = options.into or HERE
        facts = machine.facts(measured.broker, HERE)
        date = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
        (into / "results.md").write_text(report.page(measured, line, facts, date))
        picture.draw(measured, into / "results.png")
    _say(f"measuring the line took {time.monotonic() - began:.0f} s")
    if not stub_is_fast(measured):
        _say(f"the SQS stub is not {ENOUGH} times as fast as the line: do not trust the rates")
    for name, (value, unit) in printed.items():
        print(json.dumps({"figure": name, "value": _rounded(value), "unit": unit}))


def _say(text: str) -> None:
    print(text, flush=True)


def _end(number: int, _frame: object) -> NoReturn:
    """Exit by an exception, so that every process that was started is ended."""
    sys.exit(128 + number)


def _rounded(value: float) -> float:
    """Round to three digits; the rounds differ by more than that."""
    return float(f"{value:.3g}")


if __name__ == "__main__":
    main()
