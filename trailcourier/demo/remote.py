"""The demo's traffic for a fleet that runs already, for example in containers."""

from pathlib import Path

import msgspec
from rich.console import Console

from trailcourier import wiring
from trailcourier.demo import workspace
from trailcourier.demo.aws import emulated_aws
from trailcourier.demo.playback import SOURCE, Playback
from trailcourier.demo.player import judge, keep_running
from trailcourier.demo.simulator import simulate
from trailcourier.demo.verdict import DemoVerdict
from trailcourier.errors import ConfigError
from trailcourier.host.signals import stop_event
from trailcourier.settings import Settings
from trailcourier.settings import environment as surroundings

FILES_A_SECOND = 25  # announced
PATIENCE = 300.0  # seconds after the last message; recovery from a killed worker takes some


class RemoteDemo(msgspec.Struct, frozen=True):
    """The ADDRESS:PORT of the emulated AWS, and the traffic to play on it."""

    address: str
    seed: int
    files: int
    keep: bool = False


def serve_remote(
    options: RemoteDemo, configuration: Settings, console: Console
) -> DemoVerdict | None:
    """Serve an emulated AWS, play traffic on it, and check what the fleet delivered.

    *configuration* is the fleet's; its source ``demo`` must deliver into files that can be read
    here.  Returns None if a signal ended it early.  Raises ConfigError or Unreachable if a part of
    it cannot start.
    """
    wiring.configure(configuration)
    output = _output_folder(configuration)
    environment = workspace.isolated_environment(surroundings.environ())
    # first: the fleet is already sending requests to it
    with stop_event() as stopping, emulated_aws(environment, None, options.address) as account:
        wiring.demand_broker()
        traffic = simulate(options.seed, files=options.files)
        console.print(
            f"{traffic.summary}, on an emulated AWS at {options.address}.", highlight=False
        )
        playback = Playback(traffic, account, stopping, console)
        if not playback.play_all(options.files / FILES_A_SECOND, PATIENCE):
            return None
        with wiring.answering():
            refused = playback.refused()
        if options.keep:
            keep_running(judge(traffic, account, output, refused), stopping, console)
        return judge(traffic, account, output, refused)


def _output_folder(configuration: Settings) -> Path:
    """Return the folder that the source ``demo`` delivers to.

    Raises ConfigError if it is not a file sink's, or holds files of an earlier demo.
    """
    source = configuration.sources[wiring.known(SOURCE)]
    sink = configuration.sinks[source.sinks[0]]
    where = f"{configuration.path or 'environment'}: sinks.{source.sinks[0]}"
    if sink.type != "file":
        raise ConfigError([f"{where}: the demo compares files, so its type must be file"])
    path = Path(sink.path)
    if any(path.glob(f"{SOURCE}/**/*.ndjson*")):
        text = f"{path} holds events of an earlier demo: remove them and the broker's data"
        raise ConfigError([f"{where}: {text} (in containers: docker-compose down --volumes)"])
    return path
