"""``trailcourier demo --serve``: the emulated AWS for a fleet that runs already."""

import json
import os
import signal
import socket
import sys
import time

import pytest

from tests.support.servers import free_port, valkey
from trailcourier.host import child_process

CONFIG = """
[broker]
url = "env:FLEET_BROKER"
visibility_timeout = 31
[workers]
processes = 2
threads = 4
metrics_port = 0
heartbeat_file = "{folder}/heartbeat"
[line]
receive_wait = 1
[sources.{source}]
queue_url = "http://127.0.0.1:{port}/123456789012/trailcourier-demo"
queue_region = "us-east-1"
buckets = ["example-cloudtrail*"]
sinks = ["archive"]
[sinks.archive]
{sink}
"""
FILES = 'type = "file"\npath = "events"'


@pytest.fixture
def broker():
    with valkey(persist=True) as running:
        yield running


class Place:
    """A folder with the configuration of a fleet, and its commands."""

    def __init__(self, folder, broker):
        self.port = free_port()
        self.folder = folder
        self.started = []
        self.environment = {
            **os.environ,
            "FLEET_BROKER": broker.url,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
        }
        self.configure()

    def configure(self, source="demo", sink=FILES):
        text = CONFIG.format(folder=self.folder, port=self.port, source=source, sink=sink)
        (self.folder / "trailcourier.toml").write_text(text)

    def start(self, *arguments):
        """Start a command; its output goes to files that ``output`` reads."""
        number = len(self.started)
        with (
            (self.folder / f"{number}.out").open("wb") as out,
            (self.folder / f"{number}.err").open("wb") as err,
        ):
            process = child_process.start(
                [sys.executable, "-m", "trailcourier", *arguments],
                environment=self.environment, stdout=out, stderr=err, folder=self.folder,
            )  # fmt: skip
        self.started.append(process)
        return number

    def output(self, number, stream="err"):
        return (self.folder / f"{number}.{stream}").read_text(errors="replace")

    def until(self, number, condition, *, within=60):
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, self.output(number)
            time.sleep(0.05)

    def ended(self, number, *, within=60):
        """The status of a command that ends by itself."""
        self.until(number, lambda: self.started[number].poll() is not None, within=within)
        return child_process.reap(self.started[number])

    def serve(self, *options, address="127.0.0.1"):
        return self.start("demo", "--serve", f"{address}:{self.port}", "--seed", "4", *options)


@pytest.fixture
def place(tmp_path, broker):
    made = Place(tmp_path, broker)
    yield made
    for process in made.started:
        if process.returncode is None:
            child_process.stop(process, grace=40)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_fleet_that_runs_already_is_checked_though_its_broker_goes_away_meanwhile(place, broker):
    fleet = place.start("run")
    demo = place.serve("--files", "250")
    place.until(demo, lambda: len(list(place.folder.glob("events/**/*.ndjson"))) > 20)

    child_process.kill(broker.process)
    time.sleep(1)  # a demo looks three times a second
    broker.start()

    assert place.ended(demo, within=180) == 0, place.output(demo) + place.output(fleet)
    verdict = json.loads(place.output(demo, "out"))
    assert verdict["delivered"] > 2000
    assert (verdict["lost"], verdict["extra"], verdict["altered"]) == (0, 0, 0)
    child_process.stop(place.started[fleet], grace=40)

    again = place.serve()

    assert place.ended(again) == 78
    assert "holds events of an earlier demo" in place.output(again)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "prod"}, "there is no source 'demo'"),
        ({"sink": 'type = "stdout"'}, "sinks.archive: the demo compares files"),
    ],
    ids=["source", "sink"],
)
def test_a_configuration_that_is_not_for_the_demo_is_refused(place, change, words):
    place.configure(**change)

    refused = place.serve()

    assert place.ended(refused) == 78
    assert words in place.output(refused)


@pytest.mark.parametrize("address", ["aws:5000", "127.0.0.1", "127.0.0.1:0", ":5000"])
def test_an_address_to_serve_on_is_numeric_and_has_a_port(place, address):
    refused = place.start("demo", "--serve", address)

    assert place.ended(refused) == 64
    assert "takes an address and a port" in place.output(refused)


def test_a_folder_is_not_for_a_demo_that_is_served(place):
    refused = place.serve("--directory", str(place.folder))

    assert place.ended(refused) == 64
    assert "the configuration says where" in place.output(refused)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_served_demo_that_is_stopped_early_is_no_success_and_leaves_nothing(place, number):
    stopped = place.serve("--files", "250")
    place.until(stopped, lambda: "on an emulated AWS at" in place.output(stopped))

    child_process.send(place.started[stopped], number)

    assert place.ended(stopped) == 1
    assert "before any record was compared" in place.output(stopped)
    assert place.output(stopped, "out") == ""
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", place.port)) != 0
