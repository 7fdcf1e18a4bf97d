"""Run seeds: ``make simulate ARGS="--seeds 1000"``; repeat one: ``ARGS="--seed 7 --history"``."""

import argparse
import sys
from collections.abc import Sequence

from tests.simulation.hub import run
from tests.simulation.many import many
from tests.simulation.profiles import PROFILES
from tests.simulation.put_back import put_back
from tests.simulation.server import Server
from tests.simulation.shrink import Choice, shrink
from tests.simulation.strikes import Strike
from tests.simulation.tell import tell


def main(given: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 1 if anything failed."""
    asked = _parser().parse_args(given)
    if asked.put_back is not None:
        return put_back(asked.put_back, seeds=asked.seeds, jobs=asked.jobs, without=asked.without)
    if asked.seed is None:
        return many(
            range(asked.first, asked.first + asked.seeds), asked.profile, jobs=asked.jobs,
            most=asked.most,
            until_failure=asked.until_failure, without=_words(asked.without),
        )  # fmt: skip
    choice = Choice(
        asked.seed,
        asked.profile,
        None if asked.messages is None else _words(asked.messages),
        None if asked.events is None else tuple(map(int, _words(asked.events))),
        None if asked.strikes is None else tuple(map(Strike.read, _words(asked.strikes))),
        _words(asked.without),
    )
    server = Server()
    try:
        result = run(choice.plan(), server)
        if asked.shrink and result.failures:
            choice, result = shrink(result, server, without=choice.without)
    finally:
        server.close()
    if asked.history:
        print(*result.history.lines(), sep="\n")
    tell(choice, result)
    return 1 if result.failures else 0


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with a Valkey")
    parser.add_argument("--profile", default="", choices=["", *PROFILES])
    parser.add_argument("--most", type=int, default=3, help="failing seeds that are shown")
    parser.add_argument("--until-failure", action="store_true", help="end at the first")
    parser.add_argument("--put-back", nargs="*", metavar="PATCH", help="break the line, and see")
    parser.add_argument("--seed", type=int, help="one seed alone")
    parser.add_argument("--history", action="store_true", help="print every step of it")
    parser.add_argument("--shrink", action="store_true", help="make it smaller first")
    parser.add_argument("--messages", help="of its messages only these")
    parser.add_argument("--events", help="of its events only these, by number")
    parser.add_argument("--strikes", help="instead of its own strikes these")
    parser.add_argument("--without", default="", help="kinds of objects and events left out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
