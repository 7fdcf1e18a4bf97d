from urllib.parse import urlsplit

import pytest

from tests.support import servers
from tests.support.fleet import Fleet
from tests.support.relay import LosingRelay
from trailcourier.ledger import broker


@pytest.fixture(scope="module")
def shared_broker():
    """One broker for the tests of a module, which use keys of their own."""
    with servers.valkey() as running:
        yield running


@pytest.fixture
def own_broker(tmp_path):
    """A broker that a test may kill; its data are still there when it is started again."""
    with servers.valkey(tmp_path / "broker", persist=True) as running:
        yield running


@pytest.fixture
def fleet(tmp_path, shared_broker):
    """A fleet on a broker that other tests use too, but nothing of theirs is left in it."""
    with broker.connect(shared_broker.url) as client:
        client.flushall()
    yield from _closing(Fleet(tmp_path, shared_broker.url))


@pytest.fixture
def own_fleet(tmp_path, own_broker):
    """A fleet whose broker may be killed."""
    yield from _closing(Fleet(tmp_path, own_broker.url))


def _closing(fleet):
    yield fleet
    fleet.close()


@pytest.fixture
def losing(shared_broker):
    """A relay to the broker that can lose a reply, and its URL."""
    parts = urlsplit(shared_broker.url)
    relay = LosingRelay(parts.port, None, 0.0)
    yield relay, shared_broker.url.replace(f":{parts.port}", f":{relay.port}")
    relay.close()
