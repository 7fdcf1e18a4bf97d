"""A ledger on a real server, emptied before each test."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from tests.support import ledger_schema as schema
from tests.support.servers import valkey
from trailcourier.ledger import Ledger, broker
from trailcourier.ledger.admission import Admitted, NamedObject
from trailcourier.ledger.claims import Claim
from trailcourier.models import Message, Numbers, ObjectRef

SINKS = ("archive",)
_tokens = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[redis.Redis]:
    with valkey() as running, broker.connect(running.url) as client:
        yield client


@pytest.fixture
def client(server: redis.Redis) -> redis.Redis:
    server.flushall()
    return server


@pytest.fixture(autouse=True)
def known_keys(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check that the keys a test leaves are as ``schema.md`` says."""
    if "client" not in request.fixturenames:
        yield
        return
    client = request.getfixturevalue("client")
    yield
    assert schema.unknown(client) == []


class AsksTwice:
    """A client that sends each command twice, as if the first reply was lost."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def own(self) -> "AsksTwice":
        return AsksTwice(self._client.own)

    def __getattr__(self, name: str) -> Any:
        command = getattr(self._client, name)
        if not callable(command) or name in {"pipeline", "scan_iter", "register_script"}:
            return command

        def twice(*args: Any, **options: Any) -> Any:
            command(*args, **options)
            return command(*args, **options)

        return twice


@pytest.fixture(params=["answers arrive", "answers are lost"])
def ledger(client: redis.Redis, request: pytest.FixtureRequest) -> Ledger:
    """A ledger; each test must pass, and count the same, where each reply is lost once."""
    lost = request.param == "answers are lost"
    return Ledger(AsksTwice(client) if lost else client, "prod", Numbers())


@pytest.fixture
def pass_time(client: redis.Redis) -> Callable[[float], None]:
    """Advance the ledger's clock; the TTLs of keys do not change."""

    def move(seconds: float) -> None:
        client.incrby("trailcourier:1:offset", int(seconds * 1000))

    return move


def refs(*names: str) -> list[ObjectRef]:
    return [ObjectRef("acme-logs", name) for name in names]


def admit(
    ledger: Ledger,
    message: str,
    objects: Sequence[ObjectRef],
    *,
    receipt: str = "receipt-1",
    receives: int = 1,
) -> Admitted:
    return ledger.leases.admit(
        Message(message, receipt, "", receives),
        [NamedObject(ref) for ref in objects],
        visibility=600,
    )


def claim(
    ledger: Ledger, message: str, index: int = 0, *, generation: int = 1, task: str = "task-1"
) -> Claim:
    answer = ledger.claims.claim(
        message, index, generation, token=f"token-{next(_tokens)}", task_id=task, sinks=SINKS
    )
    assert answer.claim is not None, answer
    return answer.claim
