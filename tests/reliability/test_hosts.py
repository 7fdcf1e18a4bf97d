"""A fault of one host is no fault of the fleet."""

import urllib3

from tests.reliability.world import World
from tests.support.servers import free_port

SICK, WELL = "objects-1", "objects-2"


def started(world: World, **sick: str) -> None:
    """A fleet of two hosts, one of which has another *environment*."""
    world.spawn(SICK, host="sick", **sick)
    world.spawn(WELL, host="well")
    for name in (SICK, WELL):
        world.processes[name].until(" ready.", seconds=90)
    world.start("control", "beat")


def breakers(world: World) -> set[str]:
    return {breaker.name for breaker in world.ledger.breakers.list_open()}


def test_one_host_without_its_disk_leaves_the_work_to_the_other(make):
    world = make(receives=False, heartbeat=30, breaker_probe=3.0, poll=2)
    gone = world.folder / "gone"
    gone.write_text("in the place of the mounted disk")
    port = str(free_port())
    path = {"TRAILCOURIER_SINKS__ARCHIVE__PATH": str(gone / "out")}
    started(world, TRAILCOURIER_WORKERS__METRICS_PORT=port, **path)
    world.messages(60, 1)

    world.settled(seconds=90)

    assert breakers(world) == {"sink:archive@sick"}
    assert "object_delivered" not in world.processes[SICK].output
    ready = urllib3.request("GET", f"http://127.0.0.1:{port}/readyz", timeout=10)
    assert ready.status == 503
    assert ready.data.startswith(b"sink:archive@sick: ")
    failed = world.processes[SICK].output.count('"event": "object_parked"')
    assert failed < 30
    world.check(counted=True)
