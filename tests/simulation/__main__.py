"""Run many seeds: ``python -m tests.simulation --seeds 1000``."""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.run import run_seed
from tests.simulation.server import Server


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--profile", default="")
    parser.add_argument("--history", action="store_true")
    parser.add_argument("--most", type=int, default=5)
    given = parser.parse_args()
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.seeds)
    server = Server()
    kinds: Counter[str] = Counter()
    failed = 0
    began = time.perf_counter()
    try:
        for seed in seeds:
            result = run_seed(seed, given.profile, server)
            for failure in {f.kind for f in result.failures}:
                kinds[f"{failure} ({result.plan.profile})"] += 1
            if result.failures:
                failed += 1
                if failed <= given.most:
                    print(f"seed {seed} {result.plan.profile}:", *result.failures[:3], sep="\n  ")
            if given.seed is not None:
                if given.history:
                    print(*result.history.lines(), sep="\n")
                print(result.history.digest(), f"{result.simulated} s", result.strikes)
    finally:
        server.close()
    took = time.perf_counter() - began
    print(f"{len(seeds)} seeds, {failed} failed, {took:.1f} s, {len(seeds) / took:.1f} a second")
    for kind, number in kinds.most_common():
        print(f"  {number:5} {kind}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
