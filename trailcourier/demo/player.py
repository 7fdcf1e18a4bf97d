"""Runs the demo: a fleet on simulated traffic, and a check that every record arrived."""

import secrets
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from rich.console import Console

from trailcourier import settings
from trailcourier.demo import manifest, workspace
from trailcourier.demo.aws import DEAD, DemoAccount, emulated_aws
from trailcourier.demo.playback import SOURCE, Playback
from trailcourier.demo.simulator import simulate
from trailcourier.demo.traffic import Traffic
from trailcourier.demo.verdict import DemoVerdict, queue_problems
from trailcourier.host import launch
from trailcourier.host.launch import LocalFleet
from trailcourier.host.specs import ProcessSpec, flower
from trailcourier.settings import environment as surroundings

FLOWER_PORT = 5555
METRICS_PORT = 9464


class DemoOptions(msgspec.Struct, frozen=True):
    """*seconds* is how long the traffic takes; with *keep* everything runs until a signal."""

    directory: Path
    seed: int
    files: int = 120
    seconds: float = 12
    patience: float = 50  # seconds after the last message until all must be settled
    processes: int = 2
    keep: bool = False


def run_demo(options: DemoOptions, console: Console) -> DemoVerdict | None:
    """Run the demo in ``options.directory``; returns None if a signal ended it early.

    Raises ConfigError or Unreachable if a part of it cannot start.
    """
    options.directory.mkdir(parents=True, exist_ok=True)
    traffic = simulate(options.seed, files=options.files)
    manifest.save(traffic.manifest, options.directory / "manifest.ndjson")
    _print_introduction(options, traffic, console)
    with ExitStack() as stack:
        log = stack.enter_context((options.directory / "demo.log").open("ab"))
        environment = workspace.isolated_environment(surroundings.environ())
        with console.status("starting the emulated AWS"):
            account = stack.enter_context(emulated_aws(environment, log))
        with _running_fleet(options, account, console, log) as running:
            playback = Playback(traffic, account, running.fleet.stopping, console)
            if not playback.play_all(options.seconds, options.patience):
                return None
            refused = playback.refused()
            events = options.directory / "events"
            if options.keep:
                keep_running(
                    judge(traffic, account, events, refused), running.fleet.stopping, console
                )
        return judge(traffic, account, events, refused)


def _print_introduction(options: DemoOptions, traffic: Traffic, console: Console) -> None:
    console.print(
        f"{traffic.summary}, on an emulated AWS.\n"
        f"Configuration, output and logs: {options.directory}",
        highlight=False,
    )


@contextmanager
def _running_fleet(
    options: DemoOptions, account: DemoAccount, console: Console, log: BinaryIO
) -> Iterator[LocalFleet]:
    """Run the fleet and Flower on the emulated queue, until the block ends."""
    environment = workspace.isolated_environment(surroundings.environ(), endpoint=account.url)
    metrics = free_port(METRICS_PORT)
    path = workspace.write_configuration(
        options.directory, account.queue_url, processes=options.processes, metrics=metrics
    )
    console.print(f"Metrics: http://127.0.0.1:{metrics}/metrics", highlight=False)
    configuration = settings.load(path, environment)
    spec = _flower(console)

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    with launch.running(configuration, say=say, env=environment, extra=[spec], log=log) as running:
        yield running


def _flower(console: Console) -> ProcessSpec:
    """Return Flower's process; its password is printed here and stored nowhere."""
    password, port = secrets.token_urlsafe(12), free_port(FLOWER_PORT)
    console.print(
        f"Flower: http://127.0.0.1:{port}  user demo  password {password}",
        highlight=False,
        markup=False,
    )
    return flower(port=port, user="demo", password=password)


def free_port(wanted: int) -> int:
    """Return *wanted* if that port of 127.0.0.1 is free, else another free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    return wanted


def judge(
    traffic: Traffic, account: DemoAccount, output: Path, refused: Collection[tuple[str, str]]
) -> DemoVerdict:
    """Judge *traffic* by the files below *output* and by the messages in the queues."""
    bodies = [*account.queue_bodies(), *account.queue_bodies(DEAD)]
    # `sink test` writes into another folder of *output*
    tally = manifest.compare(traffic.manifest, output / SOURCE, refused)
    return DemoVerdict(tally, tuple(queue_problems(traffic.kept_marks, bodies)))


def keep_running(verdict: DemoVerdict, stopping: threading.Event, console: Console) -> None:
    """Show the *verdict*, and keep everything running until *stopping* is set."""
    console.print(verdict.table())
    console.print("Everything keeps running; Ctrl-C or SIGTERM (docker-compose stop) ends it.")
    stopping.wait()
