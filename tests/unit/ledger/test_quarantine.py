from tests.unit.ledger.conftest import refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.quarantine import Entry, entry_id, message_entry_id
from trailcourier.models import Numbers


def entry(name="a", **fields):
    ref = refs(name)[0]
    return Entry(entry_id(ref), "object", "corrupt", "broken", ref, "m", **fields)


def test_the_same_refusal_again_is_the_same_entry_counted(ledger, pass_time):
    ledger.quarantine.put(entry())
    pass_time(60)
    ledger.quarantine.put(entry())

    held = ledger.quarantine.entries()
    assert [(each.times, each.last - each.first >= 60_000) for each in held] == [(2, True)]


def test_the_latest_refusal_comes_first(ledger, pass_time):
    for name in ("a", "b"):
        ledger.quarantine.put(entry(name))
        pass_time(1)

    assert [each.ref.key for each in ledger.quarantine.entries()] == ["b", "a"]


def test_the_oldest_entry_makes_room_and_its_going_is_counted(client, pass_time):
    ledger = Ledger(client, "prod", Numbers(quarantine_entries=2))

    for name in "abc":
        ledger.quarantine.put(entry(name))
        pass_time(1)

    assert [each.ref.key for each in ledger.quarantine.entries()] == ["c", "b"]
    assert ledger.sums.all()["quarantine:evicted"] == 1


def test_an_entry_takes_at_most_four_kilobytes(ledger, client):
    many = tuple(("archive", i, "x" * 50) for i in range(500))

    ledger.quarantine.put(entry("a", records=many, records_in_all=500))
    message = Entry(message_entry_id("m"), "message", "not-understood", "ü" * 9000, confirm="c" * 9)
    ledger.quarantine.put(message)

    sizes = [len(value) for value in client.hvals("trailcourier:1:s:prod:q")]
    assert max(sizes) <= 4096
    cut = ledger.quarantine.get(entry().id)
    assert 0 < len(cut.records) < 500
    assert cut.records_in_all == 500


def test_a_dropped_entry_is_gone(ledger):
    ledger.quarantine.put(entry())

    assert ledger.quarantine.drop(entry().id)
    assert not ledger.quarantine.drop(entry().id)
    assert ledger.quarantine.entries() == []
    assert ledger.quarantine.get(entry().id) is None
