import json

import pytest

from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.admission import NamedObject
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import (
    QuarantinedRecord,
    QuarantineEntry,
    beginning,
    entry_id,
    message_entry_id,
)
from trailcourier.models import Message, Numbers, Outcome

TOPIC = "arn:aws:sns:us-east-1:111122223333:trail"


def entry(name="a", **fields):
    ref = refs(name)[0]
    return QuarantineEntry(entry_id(ref), "object", "corrupt", "broken", ref, "m", **fields)


def foreign(sender="AIDAALARMS", reason="not-understood", topic="", **fields):
    id_ = message_entry_id(reason, sender, topic)
    return QuarantineEntry(id_, "message", reason, "no", sender=sender, topic=topic, **fields)


def sent(message, receives=1, when=1000):
    return Message(message, f"receipt-{receives}", "", receives, when, "AIDAALARMS")


@pytest.fixture
def small(client, ledger):
    """A ledger with room for few entries."""
    numbers = Numbers(quarantine_entries=2, quarantine_remembered=3, quarantine_messages=2)
    made = Ledger(client, "prod", numbers)
    made.store.client = ledger.store.client
    return made


def test_the_same_refusal_again_is_the_same_entry_counted(ledger, pass_time):
    ledger.quarantine.put(entry())
    pass_time(60)
    ledger.quarantine.put(entry())

    held = ledger.quarantine.entries()
    assert [(each.times, each.last - each.first >= 60_000) for each in held] == [(2, True)]


def test_an_entry_refused_again_names_nothing_twice(ledger, client):
    for _ in range(3):
        ledger.quarantine.put(entry())

    (held,) = client.hvals("trailcourier:1:s:prod:q")
    keys = json.loads(held, object_pairs_hook=lambda pairs: [name for name, _ in pairs])
    assert sorted(keys) == sorted(set(keys))


def test_the_latest_refusal_comes_first(ledger, pass_time):
    for name in ("a", "b"):
        ledger.quarantine.put(entry(name))
        pass_time(1)

    assert [each.ref.key for each in ledger.quarantine.entries()] == ["b", "a"]


def test_the_oldest_entry_loses_its_details_and_keeps_what_a_retry_needs(small, pass_time):
    for name in "abc":
        small.quarantine.put(entry(name, records=(QuarantinedRecord("siem", 1, "no"),)))
        pass_time(1)

    c, b, a = small.quarantine.entries()
    assert [(each.ref, each.evicted, len(each.records)) for each in (c, b, a)] == [
        (refs("c")[0], False, 1),
        (refs("b")[0], False, 1),
        (refs("a")[0], True, 0),
    ]
    assert (a.reason, a.times, a.message) == ("corrupt", 1, "m")
    assert (small.quarantine.count(), small.quarantine.count_evicted()) == (3, 1)
    assert small.quarantine.get(a.id) == a
    assert small.sums.read()["quarantine:evicted"] == 1


def test_an_entry_evicted_whole_is_counted(small, pass_time):
    for name in "abcdefg":
        small.quarantine.put(entry(name))
        pass_time(1)

    assert [each.ref.key for each in small.quarantine.entries()] == ["g", "f", "e", "d", "c"]
    assert small.sums.read()["quarantine:forgotten"] == 2


def test_an_object_refused_again_gets_its_details_back(small, pass_time):
    for name in "abca":
        small.quarantine.put(entry(name))
        pass_time(1)

    found = {each.ref.key: (each.evicted, each.times) for each in small.quarantine.entries()}
    assert found == {"a": (False, 2), "c": (False, 1), "b": (True, 1)}


def test_entries_of_messages_evict_no_entries_of_objects(small):
    small.quarantine.put(entry())

    for at in range(5):
        small.quarantine.set_aside(foreign(f"sender-{at}"), sent(f"m{at}"))

    kinds = [each.kind for each in small.quarantine.entries()]
    assert (kinds.count("object"), kinds.count("message")) == (1, 2)
    assert small.sums.read()["quarantine:messages-forgotten"] == 3
    assert "quarantine:evicted" not in small.sums.read()


def test_similar_messages_share_an_entry_with_their_number_and_latest_ids(ledger):
    for at in range(40):
        ledger.quarantine.set_aside(foreign(body=f"alarm {at}"), sent(f"m{at}"))
    ledger.quarantine.set_aside(foreign("AIDAOTHERS"), sent("n"))
    ledger.quarantine.set_aside(foreign(topic=TOPIC), sent("o"))
    ledger.quarantine.set_aside(foreign(reason="too-many-objects"), sent("p"))

    found = {each.message: each for each in ledger.quarantine.entries()}
    assert found.keys() == {"m39", "n", "o", "p"}
    alike = found["m39"]
    assert (alike.messages_in_all, alike.times) == (40, 40)
    assert alike.messages == ("m35", "m36", "m37", "m38", "m39")
    assert alike.body == "alarm 39"
    assert alike.what == "message m39 and 39 more"
    assert found["o"].topic == TOPIC


def test_a_message_that_was_set_aside_before_is_one_message(ledger):
    became = [ledger.quarantine.set_aside(foreign(), sent("m", at))[0] for at in (1, 2, 3)]

    (held,) = ledger.quarantine.entries()
    assert became == ["new", "before", "before"]
    assert (held.messages_in_all, held.times, held.messages) == (1, 3, ("m",))
    assert ledger.sums.read() == {
        "messages:received": 3,
        "messages:refused:not-understood": 1,
        "messages:refused-before": 2,
    }


def test_a_message_is_refused_at_its_last_try(ledger):
    internal = foreign(reason="internal")
    tries = [ledger.quarantine.set_aside(internal, sent("m", at), tries=3) for at in range(1, 6)]

    assert tries == [("failed", 1), ("failed", 2), ("new", 3), ("before", 0), ("before", 0)]
    assert ledger.sums.read() == {
        "messages:received": 5,
        "messages:failed": 2,
        "messages:refused:internal": 1,
        "messages:refused-before": 2,
    }


def test_a_leased_message_is_not_refused(ledger):
    admit(ledger, "m", refs("a"))
    before = ledger.sums.read()

    assert ledger.quarantine.set_aside(foreign(), sent("m")) == ("held", 0)
    assert ledger.quarantine.entries() == []
    assert ledger.sums.read() == before


def test_a_refused_object_has_the_sender_and_topic_of_the_message_that_named_it(ledger):
    (ref,) = refs("a")
    ledger.leases.admit(sent("m"), [NamedObject(ref)], visibility=600, topic=TOPIC)
    refused = Report(Outcome("refused", "corrupt", "broken"))

    ledger.outcomes.write(claim(ledger, "m"), refused, jitter=1, entry=entry())

    (held,) = ledger.quarantine.entries()
    assert (held.sender, held.topic, held.messages) == ("AIDAALARMS", TOPIC, ("m",))


def test_an_entry_takes_at_most_four_kilobytes(ledger, client):
    many = tuple(QuarantinedRecord("archive", i, "x" * 50, "9f" * 18) for i in range(500))

    ledger.quarantine.put(entry("a", records=many, records_in_all=500))
    id_ = message_entry_id("not-understood", "", "")
    message = QuarantineEntry(
        id_, "message", "not-understood", "ü" * 9000, confirm="c" * 9, body=beginning("\0" * 999)
    )
    ledger.quarantine.put(message)

    sizes = [len(value) for value in client.hvals("trailcourier:1:s:prod:q")]
    assert max(sizes) <= 4096
    cut = ledger.quarantine.get(entry().id)
    assert 0 < len(cut.records) < 500
    assert cut.records_in_all == 500


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("\x1b[2J\nü", "\\x1b[2J\\n\\xfc", id="escaped"),
        pytest.param("x" * 5000, "x" * 300, id="long"),
        pytest.param("ü" * 200 + "€", "\\xfc" * 150, id="cut in bytes"),
    ],
)
def test_the_first_300_bytes_of_a_body_are_kept_in_plain_text(body, text):
    assert beginning(body) == text


def test_an_entry_of_an_earlier_version_can_be_read_and_dropped(ledger, client):
    was = {
        "id": entry().id, "kind": "object", "reason": "corrupt", "detail": "broken",
        "ref": {"bucket": "acme-logs", "key": "a"}, "message": "m",
        "records": [["siem", 3, "too large"]], "first": 1000, "last": 2000, "times": 2,
    }  # fmt: skip
    client.hset("trailcourier:1:s:prod:q", entry().id, json.dumps(was))
    client.zadd("trailcourier:1:s:prod:qt", {entry().id: 2000})

    (held,) = ledger.quarantine.entries()
    assert held.records == (QuarantinedRecord("siem", 3, "too large", ""),)
    assert (held.ref, held.first, held.last, held.times) == (refs("a")[0], 1000, 2000, 2)
    assert ledger.quarantine.drop(held.id)
    assert ledger.quarantine.entries() == []


def test_a_dropped_entry_is_gone(ledger):
    ledger.quarantine.put(entry())

    assert ledger.quarantine.drop(entry().id)
    assert not ledger.quarantine.drop(entry().id)
    assert ledger.quarantine.entries() == []
    assert ledger.quarantine.get(entry().id) is None


def test_an_entry_without_details_can_be_dropped_too(small):
    for name in "abc":
        small.quarantine.put(entry(name))
    evicted = next(each for each in small.quarantine.entries() if each.evicted)

    assert small.quarantine.drop(evicted.id)
    assert small.quarantine.count() == 2
