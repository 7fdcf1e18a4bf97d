"""docker-compose.yml for real: its demo, on an engine of its own, while parts of it are killed."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.engine import Engine, debian
from tests.support.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
BUILT_FROM = (
    ".dockerignore", "LICENSE", "README.md", "docker-compose.yml", "pyproject.toml",
    "beat", "deploy", "requirements", "tasks", "trailcourier",
)  # fmt: skip
OF_REDIS = "FROM debian:test\nRUN install -d -o 999 -g 999 /data\nVOLUME /data\n"
CARRIERS = 4
FILES = 1000


class Stack:
    """The stack of *checkout* on *engine*."""

    def __init__(self, engine: Engine, checkout: Path) -> None:
        self.engine = engine
        self.checkout = checkout
        self.flower_port = free_port()

    def compose(self, *arguments: str, seconds: float = 120) -> str:
        return self.engine.compose(
            self.checkout, "--env-file", "deploy/compose/demo.env", *arguments, seconds=seconds,
            TAG="test", BASE="debian:test", REDIS_IMAGE="redis:test", DEMO_FILES=str(FILES),
            FLOWER_PORT=str(self.flower_port),
        )  # fmt: skip

    def inspect(self) -> dict[str, dict[str, Any]]:
        """What the engine says of every container, by its name within the project."""
        ids = self.compose("ps", "-q").split()
        containers = json.loads(self.engine.docker("inspect", *ids))
        return {each["Name"].partition("demo_")[2]: each for each in containers}

    def crash(self, name: str) -> None:
        """Kill what runs in a container, from inside: `docker kill` would be taken for a stop."""
        self.engine.docker("exec", "-d", f"trailcourier-demo_{name}", "sh", "-c", "kill -9 -1")

    def until(self, condition, *, seconds: float) -> dict[str, dict[str, Any]]:
        """Wait until what ``inspect`` says fulfils *condition*."""
        deadline = time.monotonic() + seconds
        while not condition(seen := self.inspect()):
            log = self.compose("logs", "--tail=5") + self.compose("ps")
            assert time.monotonic() < deadline, f"not within {seconds} s: {log}"
            time.sleep(0.5)
        return seen


class Seen(NamedTuple):
    """What came to pass: containers as they ran, after the kills, and at the end."""

    running: dict[str, dict[str, Any]]
    killed: dict[str, dict[str, Any]]
    ended: dict[str, dict[str, Any]]
    verdict: dict[str, int]
    files: int
    stop_seconds: float


def healthy(seen: dict[str, dict[str, Any]], but: str = "") -> bool:
    states = {name: each["State"]["Health"]["Status"] for name, each in seen.items()}
    return len(states) == CARRIERS + 5 and all(
        state == "healthy" for name, state in states.items() if name != but
    )


def carrying(stack: Stack, worker: str) -> bool:
    """Whether objects are in flight, and *worker* has carried some of them."""
    log = stack.compose("logs", "--no-color", "objects")
    return bool(re.search(rf"{worker} .*object_delivered", log)) and (
        "objects in flight, " in stack.compose("logs", "aws")
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    if os.geteuid():
        pytest.skip("a container engine runs as root only")
    checkout = tmp_path_factory.mktemp("checkout")
    for name in BUILT_FROM:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    subprocess.run([checkout / "deploy/compose/secrets.sh"], check=True, timeout=10)
    engine = Engine()
    try:
        debian(engine, "python3-venv", "redis-server")
        made = Stack(engine, checkout)
        build(made)
        yield made
        made.compose("down", "--volumes")
    finally:
        engine.close()


def build(stack: Stack) -> None:
    """Build the images as docker-compose would, but on the machine's own network."""
    folder = stack.engine.folder / "redis"
    folder.mkdir()
    (folder / "Dockerfile").write_text(OF_REDIS)
    stack.engine.docker("build", "-t", "redis:test", folder)
    file = stack.checkout / "deploy/Dockerfile"
    for lock in ("run", "demo"):
        stack.engine.docker(
            "build", "--network=host", "--build-arg=BASE=debian:test", f"--build-arg=LOCK={lock}",
            "-f", file, stack.checkout, seconds=400,
        )  # fmt: skip
    stack.compose("build")  # all of it is there already, if it asks for the same
    stack.engine.docker("run", "--rm", "--network=none", "trailcourier:test", "trailcourier", "-h")


@pytest.fixture(scope="module")
def seen(stack):
    stack.compose("up", "-d", "--no-build", f"--scale=objects={CARRIERS}")
    running = stack.until(healthy, seconds=120)
    middle = stack.until(lambda _: carrying(stack, "objects_2"), seconds=60)
    assert middle["aws_1"]["State"]["Running"], "too late to kill anything"
    stack.crash("objects_2")
    stack.crash("redis_1")
    killed = stack.until(lambda now: healthy(now, but="aws_1"), seconds=120)
    stack.until(lambda now: not now["aws_1"]["State"]["Running"], seconds=360)
    line = stack.engine.docker("logs", "trailcourier-demo_aws_1").splitlines()[-1]
    count = "find /var/lib/trailcourier/events -name '*.ndjson' | wc -l"
    files = stack.compose("exec", "-T", "objects", "sh", "-c", count)
    began = time.monotonic()
    stack.compose("stop")
    stopped = time.monotonic() - began
    return Seen(running, killed, stack.inspect(), json.loads(line), int(files), stopped)


def test_every_record_of_a_thousand_files_arrives_although_a_worker_and_redis_are_killed(seen):
    assert seen.files >= FILES
    assert seen.verdict["delivered"] > 10 * FILES
    lost = {name: seen.verdict[name] for name in ("lost", "extra", "altered", "duplicates")}
    assert lost == dict.fromkeys(lost, 0)
    assert seen.ended["aws_1"]["State"]["ExitCode"] == 0


def test_what_is_killed_comes_back_by_itself(seen):
    restarts = {name: each["RestartCount"] for name, each in seen.killed.items()}

    assert {name for name, times in restarts.items() if times} == {"objects_2", "redis_1"}


def test_all_of_it_stops_cleanly(seen):
    status = {name: each["State"]["ExitCode"] for name, each in seen.ended.items()}

    assert status == dict.fromkeys(seen.running, 0)
    assert seen.stop_seconds < 45


def test_no_container_may_more_than_it_must(seen):
    for name, each in seen.running.items():
        host, user = each["HostConfig"], each["Config"]["User"]
        assert user.split(":")[0] not in {"", "0", "root"}, name
        assert host["ReadonlyRootfs"], name
        assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False), name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name


def test_nothing_is_reached_from_another_host(seen, stack):
    open_ = {
        (name, port["HostIp"], int(port["HostPort"]))
        for name, each in seen.running.items()
        for ports in each["HostConfig"]["PortBindings"].values()
        for port in ports
    }

    assert open_ == {("flower_1", "127.0.0.1", stack.flower_port)}


def test_no_secret_is_in_an_environment_or_on_a_command_line(seen, stack):
    texts = [(stack.checkout / "secrets" / name).read_text() for name in ("redis.conf", "flower")]
    words = [re.split(r"[ :]", text.strip())[1] for text in texts]
    inspected = json.dumps([[each["Config"], each["Args"]] for each in seen.running.values()])

    assert all(len(word) == 32 for word in words)
    assert [word for word in words if word in inspected] == []
