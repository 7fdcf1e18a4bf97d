"""Seeds of the simulation; ``make simulate`` runs as many as one likes."""

import dataclasses
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from traceback import format_exception
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import FULL
from tests.simulation import shrink as shrink_module
from tests.simulation import world
from tests.simulation.__main__ import main
from tests.simulation.aims import PAIRS
from tests.simulation.bucket import Content
from tests.simulation.checks import Checks
from tests.simulation.hub import NotRun, run, run_all
from tests.simulation.plan import Event
from tests.simulation.planner import plan
from tests.simulation.progress import Progress
from tests.simulation.run import Result
from tests.simulation.scenes import SCENES, scene_of
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
    results = run_all(map(plan, seeds), server)
    failed = next((each for each in results if isinstance(each, NotRun) or each.failures), None)
    results.close()
    if isinstance(failed, NotRun):
        pytest.fail("".join([f"seed {failed.plan.seed}: ", *format_exception(failed.error)]))
    if failed is not None:
        choice, small = shrink(failed, server)
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


def test_a_seed_goes_the_same_way_alone_and_among_others(server: Server) -> None:
    seeds = (8, 12, 16, 33, 54, 55, 58, 68)  # some are full, refuse writes, lose or restore all
    alone = {seed: run(plan(seed), server).history.digest() for seed in seeds}
    for at_once in (3, 8):
        results = list(run_all(map(plan, reversed(seeds)), server, at_once))
        among = {
            each.plan.seed: each.history.digest() for each in results if isinstance(each, Result)
        }
        assert among == alone


def test_a_world_that_raises_is_named_and_does_not_end_the_others(server: Server) -> None:
    broken = dataclasses.replace(plan(4), events=(Event(at=1000, kind="unheard-of"),))
    results = list(run_all([plan(3), broken, plan(5)], server))
    assert {each.plan.seed for each in results if isinstance(each, Result)} == {3, 5}
    (raised,) = (each for each in results if isinstance(each, NotRun))
    assert raised.plan.seed == 4
    assert "unheard" in str(raised.error)


def test_a_world_that_goes_on_for_ever_is_a_failed_seed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "STEPS", 100)
    monkeypatch.setattr(world, "STEPS_EACH", 0)
    monkeypatch.setattr(world, "STEPS_AN_HOUR", 0)
    (failure,) = run(plan(12), server).failures
    assert failure.kind == "endless"
    assert "more than 100 steps" in failure.told


@pytest.mark.parametrize("given", [["--seeds", "2"], ["--seed", "12", "--shrink"]])
def test_a_seed_that_fails_is_told_as_small_as_it_gets_with_a_command_that_repeats_it(
    given: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def finds_a_delivery(checks: Any) -> None:
        if checks._world.witness.delivered:
            checks._fail("found", "something was delivered")

    monkeypatch.setattr(Checks, "_hosts", finds_a_delivery)
    monkeypatch.setattr(shrink_module, "SECONDS", 5.0)

    assert main([*given, "--first", "12"]) == 1

    told = capsys.readouterr().out
    assert "! found: something was delivered" in told
    command = next(line for line in told.splitlines() if "make simulate" in line)
    words = shlex.split(shlex.split(command.partition("ARGS=")[2])[0].replace(" --history", ""))
    assert main(words) == 1
    again = capsys.readouterr().out
    assert "! found: something was delivered" in again
    assert len(words[words.index("--messages") + 1].split(",")) <= 2


def seed_with(scene: str) -> int:
    """The first seed whose world has *scene*."""
    return next(
        s for s in range(2000) if scene_of(s)[0] == scene and plan(s) != plan(s, "", [scene])
    )


@pytest.mark.parametrize("scene", SCENES)
def test_each_scene_is_in_the_world_of_some_seed(scene: str, server: Server) -> None:
    result = run(plan(seed_with(scene)), server)
    assert not result.failures


def test_an_older_receipt_arrives_last(server: Server) -> None:
    seeds = (s for s in range(2000) if scene_of(s)[0] == "older-receipt" and plan(s).wishes)
    told = [
        step.told.split()[1:4]
        for seed in islice(seeds, 5)
        for step in run(plan(seed), server).history.steps
        if step.what == "ledger.admit_message"
    ]
    newest: dict[str, int] = {}
    for message, _, receives in told:
        newest[message] = max(newest.get(message, 0), int(receives))
    assert any(int(receives) < newest[message] for message, _, receives in told)


def test_a_seed_aims_at_a_pair_and_meets_it(server: Server) -> None:
    point, kind = PAIRS[at := PAIRS.index(("queue.receive", "crash-after"))]
    seeds = (seed for seed in range(at, 9 * len(PAIRS), len(PAIRS)) if plan(seed).data.most)
    assert any((point, kind) in run(plan(seed), server).met for seed in islice(seeds, 5))


def test_worlds_that_are_left_early_leave_the_server_to_the_next(server: Server) -> None:
    alone = run(plan(12), server).history.digest()
    results = run_all(map(plan, range(1, 20)), server)
    next(results)
    results.close()
    assert run(plan(12), server).history.digest() == alone


def test_what_can_never_be_carried_is_not_taken_for_delivered() -> None:
    """It has no record that a sink could lack."""
    progress: Any = object.__new__(Progress)
    progress._world = SimpleNamespace(sinks=())
    empty = Content("e1", b"", ())

    assert progress._delivered(empty)
    for changes in ({"kills": True}, {"raises": True}, {"fault": "corrupt"}):
        assert not progress._delivered(dataclasses.replace(empty, **changes))
