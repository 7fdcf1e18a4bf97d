"""The demo: the whole line on simulated traffic, and a check that every record arrived."""

import secrets
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from rich.console import Console

from trailcourier import host, settings
from trailcourier.demo import home, manifest
from trailcourier.demo.aws import DEAD, Account, emulated
from trailcourier.demo.simulator import simulate
from trailcourier.demo.stage import SOURCE, Stage
from trailcourier.demo.traffic import Traffic
from trailcourier.demo.verdict import Verdict, left_wrong
from trailcourier.fleet import Member, flower
from trailcourier.host import Host
from trailcourier.settings import environment as surroundings

FLOWER_PORT = 5555
METRICS_PORT = 9464


class Options(msgspec.Struct, frozen=True):
    """*seconds* is how long the traffic takes; with *keep* all runs on until a signal."""

    directory: Path
    seed: int
    files: int = 120
    seconds: float = 12
    patience: float = 50  # seconds, after the last notice, for all to be settled
    processes: int = 2
    keep: bool = False


def demo(options: Options, console: Console) -> Verdict | None:
    """Run the demo in ``options.directory``; None if a signal ended it before it knew.

    Raises ConfigError or Unreachable where a part of it is missing.
    """
    options.directory.mkdir(parents=True, exist_ok=True)
    traffic = simulate(options.seed, files=options.files)
    manifest.save(traffic.manifest, options.directory / "manifest.ndjson")
    _introduce(options, traffic, console)
    with ExitStack() as stack:
        log = stack.enter_context((options.directory / "demo.log").open("ab"))
        around = home.environment(surroundings.environ())
        with console.status("starting the emulated AWS"):
            account = stack.enter_context(emulated(around, log))
        with _fleet(options, account, console, log) as running:
            stage = Stage(traffic, account, running.fleet.stopping, console)
            if not stage.perform(options.seconds, options.patience):
                return None
            refused = stage.refused()
            events = options.directory / "events"
            if options.keep:
                keep(judged(traffic, account, events, refused), running.fleet.stopping, console)
        return judged(traffic, account, events, refused)


def _introduce(options: Options, traffic: Traffic, console: Console) -> None:
    console.print(
        f"{traffic.told}, on an emulated AWS.\nConfiguration, output and logs: {options.directory}",
        highlight=False,
    )


@contextmanager
def _fleet(options: Options, account: Account, console: Console, log: BinaryIO) -> Iterator[Host]:
    """The fleet with Flower beside it, reading the emulated queue."""
    around = home.environment(surroundings.environ(), endpoint=account.url)
    metrics = _port(METRICS_PORT)
    path = home.configure(
        options.directory, account.queue_url, processes=options.processes, metrics=metrics
    )
    console.print(f"Metrics: http://127.0.0.1:{metrics}/metrics", highlight=False)
    found = settings.load(path, around)
    page = _flower(console)

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    with host.running(found, say=say, env=around, beside=[page], log=log) as running:
        yield running


def _flower(console: Console) -> Member:
    """Flower, with a password that is shown once and kept nowhere."""
    password, port = secrets.token_urlsafe(12), _port(FLOWER_PORT)
    console.print(
        f"Flower: http://127.0.0.1:{port}  user demo  password {password}",
        highlight=False,
        markup=False,
    )
    return flower(port=port, user="demo", password=password)


def _port(wanted: int) -> int:
    """*wanted* if it is free, else one that is."""
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


def judged(
    traffic: Traffic, account: Account, output: Path, refused: Collection[tuple[str, str]]
) -> Verdict:
    """What became of *traffic*, by the files below *output* and by what the queues still hold."""
    held = [*account.held(), *account.held(DEAD)]
    # beside it lies what `sink test` wrote for somebody who looked around
    tally = manifest.compare(traffic.manifest, output / SOURCE, refused)
    return Verdict(tally, tuple(left_wrong(traffic.left, held)))


def keep(verdict: Verdict, stopping: threading.Event, console: Console) -> None:
    """Show the *verdict*, and let all of it run until *stopping* is set."""
    console.print(verdict.table())
    console.print("All of it runs on; Ctrl-C or SIGTERM (docker-compose stop) ends it.")
    stopping.wait()
