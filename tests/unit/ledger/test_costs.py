"""What a step of the line costs the broker, however much it remembers and others hold."""

import pytest
import redis

from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.models import Numbers, Outcome
from trailcourier.operations.status import read_status

MANY = 20_000
DELIVERED = Report(Outcome("delivered"), etag="e", sums={"records:in": 9}, succeeded=["sink:siem"])


def crowd(client: redis.Redis) -> None:
    """Fill the broker: marks of this source, all that another source may hold, old failures."""
    fleet, own, other = "trailcourier:1:", "trailcourier:1:s:prod:", "trailcourier:1:s:other:"
    members = {f"m{at}/0": at for at in range(MANY)}
    client.hset(f"{own}d:6900:000", mapping=members)
    for key in ("flight", "parked", "leases", "done", "full"):
        client.zadd(f"{other}{key}", members)
    client.hset(f"{other}left", mapping=dict.fromkeys(members, "x"))
    client.mset({f"{other}c:{at:012}": "0|token|" for at in range(MANY)})
    client.sadd(f"{fleet}failing", *(f"bucket:other:b{at}" for at in range(MANY)))
    client.hset(f"{fleet}ok", mapping={f"bucket:other:b{at}": 1 for at in range(MANY)})
    client.hset(f"{fleet}closed", mapping={f"bucket:other:b{at}": 1 for at in range(MANY)})


def life(ledger: Ledger, message: str) -> None:
    """Carry one message from its receive to its settle."""
    lease = ledger.poll_lease(0)
    lease.take()
    ledger.room.measure(["siem"])
    admit(ledger, message, refs(message))
    ledger.outcomes.write(claim(ledger, message), DELIVERED, jitter=1)
    ledger.leases.judge([message])
    ledger.leases.forget([message], "messages:deleted")
    lease.release()


def maintain(ledger: Ledger, message: str) -> None:
    """Do what maintenance does in each run."""
    ledger.leases.take_expiring()
    ledger.left.take_full(100)
    ledger.left.take_recovered(100)
    ledger.leases.take_finished(since=5)
    ledger.redispatch.take_lost(idle=True, keep=False)
    ledger.parked.take_ready(100)
    ledger.breakers.list_open()


def show(ledger: Ledger, message: str) -> None:
    """Read what ``status`` shows."""
    read_status(ledger)


@pytest.mark.parametrize("step", [life, maintain, show])
def test_a_step_costs_the_same_however_full_the_broker_is(client, step):
    """``breakers.sweep``, which looks at every failure of the fleet, runs four times a minute."""
    ledger = Ledger(client, "prod", Numbers())
    step(ledger, "warm")  # the server knows the scripts from now on

    def calls(message: str) -> dict[str, int]:
        client.incrby("trailcourier:1:offset", 5000)  # some things are noted once in two seconds
        client.config_resetstat()
        step(ledger, message)
        return {name: each["calls"] for name, each in client.info("commandstats").items()}

    few = calls("few")
    crowd(client)

    try:
        assert calls("many") == few
    finally:
        client.flushall()
