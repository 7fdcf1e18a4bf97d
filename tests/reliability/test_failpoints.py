"""The process at work dies, as by ``kill -9``, at each place where that could lose something."""

import signal

import pytest

from tests.reliability.conftest import world
from trailcourier.line.failpoint import POINTS

OF_CONTROL = ("after-receive", "after-admit", "after-publish", "before-delete", "after-delete")
OF_BOTH = ("after-brpop",)
OF_OBJECTS = tuple(sorted(POINTS - {*OF_CONTROL, *OF_BOTH}))

CASES = [
    *(("control", point) for point in OF_CONTROL + OF_BOTH),
    *(("objects-1", point) for point in OF_OBJECTS + OF_BOTH),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with world(tmp_path_factory.mktemp("failpoints")) as made:
        for name in ("control", "objects-1"):
            (made.folder / name).mkdir()
            for point in POINTS:
                (made.folder / name / point).touch()
        for name in ("control", "objects-1", "beat"):
            made.spawn(name, **armed(made, name))
        made.processes["control"].until(" ready.", seconds=90)
        made.processes["objects-1"].until(" ready.", seconds=90)
        yield made


def armed(world, name):
    """Let this process die at any point whose marker is not there."""
    markers = [f"{point}@{world.folder / name / point}" for point in sorted(POINTS)]
    return {"TRAILCOURIER_FAIL_POINT": ",".join(markers)}


@pytest.mark.parametrize(("name", "point"), CASES, ids=[f"{n}-{p}" for n, p in CASES])
def test_nothing_is_lost_when_a_worker_dies(shared, name, point):
    world, tag = shared, f"{name[0]}{point.replace('-', '')}"
    world.forget_the_dead()
    (world.folder / name / point).unlink()
    world.messages(2, 2, prefix=tag)

    status = world.died(name)
    world.start(name, **armed(world, name))
    world.pass_time(11 if "delete" in point else 0)  # who began to delete had ten seconds for it
    world.settled(again=name == "control")

    assert status == -signal.SIGKILL
    world.check(counted=True)
    assert len({file for file in world.repeated() if file.startswith(tag)}) <= 4
