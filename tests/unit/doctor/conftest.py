"""The command on an account of moto's in which a test breaks one thing."""

from collections.abc import Callable, Iterator

import pytest
import redis
import structlog

from tests.support.doctor_call import CONFIG, Doctor
from tests.support.servers import valkey
from tests.support.trail_account import TrailAccount, trail_account
from trailcourier import wiring
from trailcourier.ledger import Ledger, broker
from trailcourier.models import Numbers


@pytest.fixture(scope="session")
def server() -> Iterator[redis.Redis]:
    """The broker of a set-up in which everything is well: one that keeps its data."""
    with valkey(persist=True) as running, broker.connect(running.url) as client:
        yield client


@pytest.fixture(scope="session")
def running_account() -> Iterator[TrailAccount]:
    with trail_account() as running:
        yield running


@pytest.fixture
def account(running_account: TrailAccount) -> TrailAccount:
    """An account in which everything is well."""
    return running_account.prepare()


@pytest.fixture
def doctor(account, client, tmp_path, monkeypatch, capfd) -> Iterator[Callable[..., Doctor]]:
    """Call ``trailcourier doctor``, and return its report."""
    known = client.connection_pool.connection_kwargs
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events").mkdir()
    monkeypatch.setenv("BROKER", f"redis://:{known['password']}@127.0.0.1:{known['port']}/0")
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.front.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-correct-horse")
    config = CONFIG.format(queue=account.queue_url())
    yield lambda *arguments, **more: Doctor.call(capfd, config, *arguments, **more)
    wiring.forget()
    structlog.reset_defaults()


@pytest.fixture
def ledger(client) -> Ledger:
    """The ledger of the source that is looked at."""
    return Ledger(client, "prod", Numbers())


@pytest.fixture
def delivered(client, ledger) -> Callable[[float], None]:
    """Have the line's last delivery be so many seconds ago."""

    def delivered(seconds: float) -> None:
        at = ledger.store.read_clock() - int(seconds * 1000)
        client.hset("trailcourier:1:s:prod:sums", "at:success", at)

    return delivered
