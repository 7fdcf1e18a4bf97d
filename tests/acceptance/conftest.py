"""A host of one's own, and a broker as an operator configures it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host import Host
from tests.support.s3_stub import S3Stub
from tests.support.servers import valkey
from tests.support.sqs_stub import SqsStub


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with SqsStub() as sqs, S3Stub() as s3:
        sqs.create("trail", redrive=("dead", 5))
        made = Host(tmp_path, sqs, s3)
        yield made
        made.close()


@pytest.fixture
def configured_broker() -> Iterator[str]:
    with valkey() as running:
        yield running.url
