"""How open breakers are listed, and how they are probed."""

import pytest

from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.scopes import Failing
from trailcourier.models import Numbers, Outcome

BUCKET = "bucket:prod:acme-logs"
MANY = 20_000


def failed(breaker):
    return Report(Outcome("parked", "network", "no route"), breakers=(Failing(breaker),))


def park(ledger, breaker, many):
    """Park *many* objects of one message, all claimed before the first of them fails."""
    admit(ledger, "m", refs(*(f"o{at}" for at in range(many))))
    claims = [claim(ledger, "m", at, task=f"task-{at}") for at in range(many)]
    for held in claims:
        ledger.outcomes.write(held, failed(breaker), jitter=1)


def commands(client, call):
    """Return the commands, with keys, that the server runs for *call*, also within scripts."""
    with client.monitor() as heard:
        client.echo("begin")  # on a connection that is greeted by now
        call()
        client.echo("end")
        every = iter(lambda: heard.next_command()["command"], "ECHO end")
        recorded = list(every)
    return recorded[recorded.index("ECHO begin") + 1 :]


@pytest.fixture
def crowded(client):
    """Return a function that fills the broker with keys, objects and failures."""

    def crowd(many):
        own = "trailcourier:1:s:prod:"
        members = {f"m{at}/0": at for at in range(many)}
        client.mset({f"{own}c:{at:012}": "0|token|" for at in range(many)})
        for key in ("parked", f"p:{BUCKET}", "flight", "leases", "done"):
            client.zadd(f"{own}{key}", members)
        client.hset(f"{own}d:6900:000", mapping=members)
        client.sadd("trailcourier:1:failing", *(f"bucket:prod:b{at}" for at in range(many)))
        client.hset("trailcourier:1:ok", mapping={f"bucket:prod:b{at}": 1 for at in range(many)})

    yield crowd
    client.flushall()


def test_listing_open_breakers_costs_the_same_however_full_the_broker_is(client, crowded):
    ledger = Ledger(client, "prod", Numbers())
    for name in ("sink:archive", BUCKET):
        ledger.breakers.count_failure(name, "a", reason="network", text="", limit=1)
    ledger.breakers.list_open()  # the server knows the script from now on
    few = commands(client, ledger.breakers.list_open)

    crowded(MANY)

    assert client.dbsize() > MANY
    assert commands(client, ledger.breakers.list_open) == few
    assert commands(client, ledger.breakers.list_all) == few
    first_words = [" ".join(command.split()[:2]) for command in few[1:]]
    assert first_words[0] == "SMEMBERS trailcourier:1:open"  # which holds nothing but these two
    assert sorted(first_words[1:]) == [
        f"HMGET trailcourier:1:b:{name}" for name in (BUCKET, "sink:archive")
    ]


@pytest.mark.parametrize(
    ("breaker", "tries"),
    [
        pytest.param(BUCKET, [1, 2, 4, 8, 16, 16], id="bucket"),
        pytest.param("sink:archive", [1, 1, 1, 1, 1, 1], id="sink"),
    ],
)
def test_failing_probes_of_a_bucket_grow_and_those_of_a_sink_stay_at_one(
    ledger, pass_time, breaker, tries
):
    park(ledger, breaker, 40)
    taken = []

    for pause in (5, 10, 20, 30, 30, 30):  # seconds
        pass_time(pause - 2)
        assert ledger.parked.take_ready(100) == ()
        pass_time(2)
        taken.append(ledger.parked.take_ready(100))
        assert ledger.parked.take_ready(100) == ()
        for due in taken[-1]:
            held = claim(ledger, "m", due.index, generation=due.generation, task=f"t-{due.index}")
            ledger.outcomes.write(held, failed(breaker), jitter=1)

    assert [len(each) for each in taken] == tries


def test_the_first_successful_probe_releases_the_bucket(ledger, pass_time):
    park(ledger, BUCKET, 9)
    pass_time(5)
    (due,) = ledger.parked.take_ready(100)
    probe = claim(ledger, "m", due.index, generation=due.generation)

    done = Report(Outcome("delivered"), succeeded=(BUCKET,))
    closed = ledger.outcomes.write(probe, done, jitter=1).closed

    assert closed == [BUCKET]
    assert [len(ledger.parked.take_ready(100)) for _ in range(5)] == [1, 2, 4, 1, 0]
