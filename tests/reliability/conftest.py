import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.config import configured
from tests.reliability.outputs import Output, files, log
from tests.reliability.world import BUCKET, World
from tests.support import receiver, servers
from tests.support.s3_stub import S3Stub
from tests.support.sqs_stub import SqsStub

FLEET = ("objects-1", "control", "beat")


@contextlib.contextmanager
def world(
    folder: Path, *, receives: bool = True, persist: bool = False, **numbers: Any
) -> Iterator[World]:
    """A world without any process of the fleet yet; *numbers* are of the line."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(servers.valkey(folder / "broker", persist=persist))
        sqs, s3 = stack.enter_context(SqsStub()), stack.enter_context(S3Stub())
        outputs = {"archive": Output(files(folder / "out"))}
        receiving = None
        if receives:
            receiving = stack.enter_context(receiver.running(folder / "received"))
            outputs["siem"] = Output(log(receiving.log))
        sqs.create("trail", redrive=("dead", 5))
        config, chosen = configured(folder, sqs, receiving, bucket=BUCKET, **numbers)
        made = World(folder, server, sqs, s3, receiving, config, outputs, chosen)
        sqs.queues["trail"].watch = made.watch
        stack.callback(made.close)
        yield made


Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a world of its own for one test."""
    with contextlib.ExitStack() as stack:
        yield lambda **given: stack.enter_context(world(tmp_path, **given))
