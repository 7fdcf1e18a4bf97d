"""What is remembered of delivered objects: for how long, and at what price."""

from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.store import Script, content_digest, object_id
from trailcourier.models import Outcome

MARK = Script("for a = 2, #ARGV, 2 do mark(ARGV[a], ARGV[a + 1], ARGV[1]) end")


def used(client):
    """The bytes the server holds, without the buffers of a connection that was busy."""
    client.connection_pool.disconnect()
    return client.info("memory")["used_memory"]


def test_a_delivered_object_costs_at_most_25_bytes(ledger, client):
    # three busy days; of fewer each costs more, for the allocator rounds every list up
    objects, digest = 400_000, content_digest("d41d8cd98f00b204e9800998ecf8427e")
    before = used(client)

    for at in range(0, objects, 2000):
        some = refs(*(f"AWSLogs/111122223333/{i}.json.gz" for i in range(at, at + 2000)))
        ledger.store.call(MARK, 6, *(part for ref in some for part in (object_id(ref), digest)))

    assert (used(client) - before) / objects <= 25


def test_a_mark_lasts_fifteen_days_and_ends(ledger, client, pass_time):
    admit(ledger, "m", refs("a"))
    delivered = Report(Outcome("delivered"), etag="e1", delivered=content_digest("e1"))
    ledger.outcomes.finish(claim(ledger, "m"), delivered, jitter=1)

    pass_time(15 * 86_400)
    known = admit(ledger, "n", refs("a")).kind
    pass_time(4 * 86_400)
    key = next(iter(client.scan_iter("trailcourier:1:s:prod:d:*")))

    assert known == "settle"
    assert admit(ledger, "o", refs("a")).kind == "work"
    assert 15 * 86_400 < client.ttl(key) <= 18 * 86_400
