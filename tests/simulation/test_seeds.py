"""Seeds of the simulation; ``make simulate`` runs as many as one likes."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import FULL
from tests.simulation.plan import plan
from tests.simulation.run import run
from tests.simulation.server import Server
from tests.simulation.shrink import shrink

SEEDS = 300
MORE = 5000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def keeps_its_promises(seeds: range, server: Server) -> None:
    for seed in seeds:
        result = run(plan(seed), server)
        if result.failures:
            choice, small = shrink(result, server)
            lines = "\n".join(small.history.lines()[-200:])
            pytest.fail(f"{lines}\n{small.failures[0]}\n{choice.command()}", pytrace=False)


@pytest.mark.timeout(900)
def test_the_line_keeps_its_promises(server: Server) -> None:
    keeps_its_promises(range(SEEDS), server)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not FULL, reason="make test-full runs it")
def test_the_line_keeps_its_promises_for_longer(server: Server) -> None:
    keeps_its_promises(range(SEEDS, MORE), server)


def test_a_seed_goes_the_same_way_each_time() -> None:
    argv = [sys.executable, "-m", "tests.simulation", "--seed", "12", "--profile", "everything"]
    told = {
        subprocess.run(
            argv, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=False, timeout=100,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1
    assert "steps" in told.pop()
