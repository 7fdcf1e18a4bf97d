"""The command line in this process, on a real broker and stubs of AWS."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from tests.support.s3_stub import S3Stub
from tests.support.sqs_stub import SqsStub
from trailcourier import cli, wiring

CONFIG = """
[broker]
url = "env:BROKER"
[sources.prod]
queue_url = "{queue}"
queue_region = "us-east-1"
buckets = ["acme-logs"]
unfiltered = true
sinks = ["archive"]
[sources.dev]
queue_url = "{queue}-dev"
queue_region = "us-east-1"
unfiltered = true
sinks = ["archive"]
[sinks.archive]
type = "file"
path = "events"
"""


class CommandResult(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def sqs() -> Iterator[SqsStub]:
    with SqsStub() as stub:
        stub.create("trail")
        stub.create("trail-dev")
        yield stub


@pytest.fixture
def s3() -> Iterator[S3Stub]:
    with S3Stub() as stub:
        yield stub


@pytest.fixture
def config(sqs: SqsStub) -> str:
    """The text of the configuration; a test may take it and change it."""
    return CONFIG.format(queue=sqs.queue_url("trail"))


@pytest.fixture
def around(client, sqs, s3, tmp_path, monkeypatch) -> None:
    """A folder of one's own, and what the environment says of the broker and of AWS."""
    known = client.connection_pool.connection_kwargs
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "BROKER": f"redis://:{known['password']}@{known['host']}:{known['port']}/0",
        "AWS_ENDPOINT_URL_SQS": sqs.url,
        "AWS_ENDPOINT_URL_S3": s3.url,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def call(around, config, capfd) -> Iterator[Callable[..., CommandResult]]:
    """Call the command line; its exit status and output."""
    path = Path("trailcourier.toml")
    path.write_text(config)

    def called(*arguments: str, configuration: str = "") -> CommandResult:
        if configuration:
            path.write_text(configuration)
        capfd.readouterr()
        code = cli.execute(arguments)
        return CommandResult(code, *capfd.readouterr())

    yield called
    wiring.forget()
    structlog.reset_defaults()
