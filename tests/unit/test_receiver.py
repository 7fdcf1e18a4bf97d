"""The storm's receiver must itself be beyond doubt."""

import os
import subprocess
import sys

import pytest

from tests.support import receiver
from trailcourier.aws.network import Network
from trailcourier.errors import Fault, Rejected
from trailcourier.models import ObjectRef, Origin

ORIGIN = Origin("prod", ObjectRef("acme-cloudtrail", "a.json.gz"), "etag")
CONFIGURE = """
from trailcourier.settings.shape import Configuration
sinks = Configuration.model_validate({"sinks": {"all": {"type": "receiver", "port": 9}}}).sinks
print(type(sinks["all"]).__name__, sinks["all"].port)
"""


@pytest.fixture
def running(tmp_path):
    with receiver.running(tmp_path / "received") as started:
        yield started


def sink(running):
    return (
        receiver.Receiver(type="receiver", port=running.port).open("all", Network()).start(ORIGIN)
    )


def test_every_record_is_kept_copies_included(running):
    for _ in range(2):
        sink(running).send([b'{"n":1}', b'{"n":2}'])

    assert running.records() == [b'{"n":1}', b'{"n":2}'] * 2


def test_what_was_acknowledged_outlives_the_receiver(running):
    sink(running).send([b'{"n":1}'])
    port = running.port

    running.kill()
    with pytest.raises(Fault, match="sink-unreachable"):
        sink(running).send([b'{"n":2}'])
    running.start()
    sink(running).send([b'{"n":3}'])

    assert running.port == port
    assert running.records() == [b'{"n":1}', b'{"n":3}']


def test_what_was_not_written_whole_is_not_there_after_a_start(running):
    sink(running).send([b'{"n":1}'])
    running.kill()
    with running.log.open("ab") as log:
        log.write(b'{"n":')

    running.start()
    sink(running).send([b'{"n":2}'])

    assert running.records() == [b'{"n":1}', b'{"n":2}']


def test_it_rejects_and_is_busy_as_it_is_set(running):
    running.reject(b"poison")
    with pytest.raises(Rejected):
        sink(running).send([b'{"n":1}', b"poison"])
    running.reject(b"")
    running.busy(1)
    with pytest.raises(Fault, match="sink-busy"):
        sink(running).send([b'{"n":2}'])

    sink(running).send([b"poison"])

    assert running.records() == [b"poison"]


def test_a_process_started_with_its_environment_knows_the_sink_and_others_do_not():
    def configured(environ):
        return subprocess.run(
            [sys.executable, "-c", CONFIGURE],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    knowing = configured(receiver.environment())
    plain = configured({**os.environ, "PYTHONPATH": str(receiver.ROOT)})

    assert knowing.stdout == "Receiver 9\n", knowing.stderr
    assert "ValidationError" in plain.stderr
