"""The demo away from home: its traffic for a fleet that runs already, in containers say."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console

from trailcourier import wiring
from trailcourier.demo import home
from trailcourier.demo.aws import emulated
from trailcourier.demo.run import judged, keep
from trailcourier.demo.simulator import simulate
from trailcourier.demo.stage import SOURCE, Stage
from trailcourier.demo.verdict import Verdict
from trailcourier.errors import ConfigError
from trailcourier.fleet.signals import Signals
from trailcourier.settings import Settings
from trailcourier.settings import environment as surroundings

FILES_A_SECOND = 25  # that are announced
PATIENCE = 300.0  # seconds, after the last notice: whoever is killed meanwhile costs some of them


class Visit(msgspec.Struct, frozen=True):
    """Where the emulated AWS answers, *address* and port, and what is played on it."""

    address: str
    seed: int
    files: int
    keep: bool = False


def serve(visit: Visit, found: Settings, console: Console) -> Verdict | None:
    """Serve an emulated AWS, play traffic on it, and check what the fleet delivered.

    *found* is the fleet's configuration, whose source ``demo`` delivers into files that lie here
    too.  None if a signal ended it before it knew.  Raises ConfigError or Unreachable where a part
    of it is missing.
    """
    wiring.configure(found)
    output = _output(found)
    around = home.environment(surroundings.environ())
    # before anything that takes time: the fleet is asking already
    with _stopping() as stopping, emulated(around, None, visit.address) as account:
        wiring.demand_broker()
        traffic = simulate(visit.seed, files=visit.files)
        console.print(f"{traffic.told}, on an emulated AWS at {visit.address}.", highlight=False)
        stage = Stage(traffic, account, stopping, console)
        if not stage.perform(visit.files / FILES_A_SECOND, PATIENCE):
            return None
        with wiring.answering():
            refused = stage.refused()
        if visit.keep:
            keep(judged(traffic, account, output, refused), stopping, console)
        return judged(traffic, account, output, refused)


def _output(found: Settings) -> Path:
    """Where the fleet's source of the demo delivers; there must be nothing of earlier demos."""
    source = found.sources[wiring.known(SOURCE)]
    sink = found.sinks[source.sinks[0]]
    where = f"{found.path or 'environment'}: sinks.{source.sinks[0]}"
    if sink.type != "file":
        raise ConfigError([f"{where}: the demo compares files, so its type must be file"])
    path = Path(sink.path)
    if any(path.glob(f"{SOURCE}/**/*.ndjson*")):
        text = f"{path} holds the events of an earlier demo: remove them and what the broker knows"
        raise ConfigError([f"{where}: {text} (in containers: down --volumes)"])
    return path


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Set by SIGTERM and SIGINT."""
    stopping = threading.Event()
    signals = Signals(lambda _: stopping.set())
    signals.listen()
    try:
        yield stopping
    finally:
        signals.close()
