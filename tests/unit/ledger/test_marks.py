"""Marks of delivered objects: how long they last, and how much memory they take."""

import pytest

from tests.unit.ledger.conftest import SINKS, admit, claim, refs
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.script import Script
from trailcourier.ledger.store import content_digest, object_id
from trailcourier.models import ObjectRef, Outcome

MARK = Script(
    "mark",
    "-- include: mark_delivered\n"
    "for a = 2, #ARGV, 2 do mark_delivered(ARGV[a], ARGV[a + 1], ARGV[1]) end",
)


def used(client):
    """Return the bytes that the server uses, without the buffers of a busy connection."""
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


E1 = ObjectRef("acme-logs", "a", etag="e1")


def deliver(ledger, message, ref=E1, etag="e1"):
    admit(ledger, message, [ref])
    report = Report(Outcome("delivered"), etag=etag, delivered=content_digest(etag))
    ledger.outcomes.write(claim(ledger, message), report, jitter=1)
    ledger.leases.forget([message], "messages:deleted")


def test_a_mark_lasts_fifteen_days_and_ends(ledger, client, pass_time):
    deliver(ledger, "m")

    pass_time(15 * 86_400)
    known = admit(ledger, "n", [E1]).kind
    pass_time(4 * 86_400)
    key = next(iter(client.scan_iter("trailcourier:1:s:prod:d:*")))

    assert known == "settle"
    assert admit(ledger, "o", [E1]).kind == "work"
    assert 15 * 86_400 < client.ttl(key) <= 18 * 86_400


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [
        pytest.param(59 * 60, "settle", id="within the hour"),
        pytest.param(80 * 60, "work", id="more than an hour later"),
        pytest.param(3 * 86_400 + 59 * 60, "work", id="days later"),
        pytest.param(-7200, "work", id="after the broker's clock was put back"),
    ],
)
def test_a_notification_without_a_content_counts_as_delivered_within_the_hour(
    ledger, pass_time, seconds, kind
):
    deliver(ledger, "m")
    pass_time(seconds)

    assert admit(ledger, "n", refs("a")).kind == kind


def test_the_time_of_a_delivery_is_known_throughout_the_three_days(ledger, pass_time):
    kinds = set()

    for at in range(50):
        (ref,) = refs(f"k{at}")
        deliver(ledger, f"m{at}", ref)
        pass_time(59 * 60)
        early = admit(ledger, f"n{at}", [ref]).kind
        pass_time(19 * 60)
        kinds.add((early, admit(ledger, f"o{at}", [ref]).kind))
        pass_time(11 * 60)

    assert kinds == {("settle", "work")}


def test_a_claim_checks_for_a_newer_content_like_the_admission(ledger, pass_time):
    deliver(ledger, "m")
    pass_time(7200)
    admit(ledger, "n", refs("a"))
    admit(ledger, "o", refs("a"))

    held = claim(ledger, "n")
    same = Report(Outcome("skipped", "already-delivered"), "e1", delivered=content_digest("e1"))
    ledger.outcomes.write(held, same, jitter=1)
    other = ledger.claims.claim("o", 0, 1, token="t", task_id="t", sinks=SINKS)

    assert (other.kind, str(other.outcome)) == (
        "done",
        "skipped:already-delivered",
    )


def test_a_mark_of_an_earlier_version_has_no_time_and_is_valid(ledger, client):
    store = ledger.store
    deliver(ledger, "m")
    (key,) = client.scan_iter("trailcourier:1:s:prod:d:*")
    (field,) = client.hkeys(key)
    client.hset(key, field, content_digest("e1") + content_digest("e0"))

    assert store.spans > 0
    assert admit(ledger, "n", [E1]).kind == "settle"
    assert admit(ledger, "o", refs("a")).kind == "work"  # to be compared
    deliver(ledger, "p", ObjectRef("acme-logs", "a", etag="e2"), "e2")
    assert [len(value) for value in client.hvals(key)] == [13]
    assert admit(ledger, "q", [E1]).kind == "settle"
