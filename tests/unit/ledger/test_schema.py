"""``schema.md`` names every key that the ledger writes, and no other.

Its types, lives and fields are compared with what each test of this folder leaves, in conftest.py.
"""

import re
from pathlib import Path

import pytest

from tests.support import ledger_schema as schema
from trailcourier.ledger import Ledger
from trailcourier.ledger.admission import NamedObject
from trailcourier.ledger.left_messages import LeftMessage
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import QuarantineEntry, entry_id
from trailcourier.ledger.script import scripts
from trailcourier.models import Message, Numbers, ObjectRef, Outcome

ROOT = Path(__file__).parents[3]
MANY = 2000
TOPIC = "arn:aws:sns:us-east-1:111122223333:cloudtrail"
BUCKET = "acme-cloudtrail-111122223333"
FOLDER = "AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/us-east-1/2026/11/23"


def test_the_page_names_every_key_that_is_written_and_who_writes_it():
    assert {key.name: key.writers for key in schema.named()} == schema.written()


def test_every_script_ends_work_and_runs_in_a_full_broker_or_begins_it_and_does_not():
    known = schema.when_full()
    frees = {each.name for each in scripts() if each.parts[0].file == "shared/runs_when_full.lua"}
    reads = {each.name for each in scripts()} - set().union(*schema.written().values())

    assert sorted(sum(known.values(), ())) == sorted(each.name for each in scripts())
    assert set(known["run"]) == frees
    assert set(known["write nothing"]) == reads


@pytest.mark.parametrize("key", schema.fields())
def test_every_field_that_the_page_names_is_used(key):
    lua = "".join(script.text for script in scripts())
    python = "".join(path.read_text() for path in (ROOT / "trailcourier").rglob("*.py"))
    literals = {max(name.split("<>"), key=len) for name in schema.fields()[key]}

    assert {
        each for each in literals if not re.search(f"['\"]{each}['\"{{]", lua + python)
    } == set()


@pytest.mark.parametrize(
    ("write", "wrong"),
    [
        pytest.param(("SET", "s:prod:news", "x"), "is not in the schema", id="a key"),
        pytest.param(("SADD", "s:prod:sums", "x"), "is a set, not a hash", id="a type"),
        pytest.param(("SET", "s:prod:depth", "x"), "lives for -1 ms", id="one without an end"),
        pytest.param(("SET", "high", "1", "PX", "9000"), "lives for", id="one with an end"),
        pytest.param(("HSET", "s:prod:m:1", "0:q", "x"), "has b'0:q'", id="a field"),
    ],
)
def test_a_key_that_the_page_does_not_name_is_found(client, write, wrong):
    command, key, *values = write
    client.execute_command(command, schema.NAMESPACE + key, *values)

    assert [wrong in each for each in schema.unknown(client)] == [True]
    client.flushall()


def ref(number):
    name = f"111122223333_CloudTrail_us-east-1_20261123T0000Z_{number:016}.json.gz"
    return ObjectRef(BUCKET, f"{FOLDER}/{name}")


def message(number):
    return f"{number:08}-1111-2222-3333-444455556666"


def admit(ledger, *, objects=1):
    for number in range(MANY):
        named = [NamedObject(ref(number * objects + at)) for at in range(objects)]
        ledger.leases.admit(
            Message(message(number), "r" * 420, "", 1, sender="AIDAEXAMPLE", sent=10**12),
            named, visibility=600, topic=TOPIC,
        )  # fmt: skip


def admit_ten(ledger):
    admit(ledger, objects=10)


def claim(ledger):
    return [
        ledger.claims.claim(
            message(number), 0, 1, token=f"{number:032}", task_id=message(number), sinks=["siem"]
        ).claim
        for number in range(MANY)
    ]


def work(ledger):
    admit(ledger)
    claim(ledger)


def park(ledger):
    admit(ledger)
    outcome = Outcome("parked", "network", f"Connection refused: {'x' * 80}")
    for each in claim(ledger):
        ledger.outcomes.write(each, Report(outcome), jitter=1)
    forget_answers(ledger, "c")


def leave(ledger):
    bucket = f"{BUCKET}/111122223333"
    for number in range(MANY):
        left = LeftMessage(message(number), "r" * 420, 1, bucket)
        ledger.left.note([left], {left.message: 43_000})


def give_back(ledger):
    admit(ledger)
    ledger.leases.forget([message(number) for number in range(MANY)], "messages:released")


def enter(ledger):
    detail = "The object does not exist: NoSuchKey: The specified key does not exist." * 2
    for number in range(MANY):
        entry = QuarantineEntry(
            entry_id(ref(number)), "object", "no-such-key", detail, ref(number), message(number),
            sender="AIDAEXAMPLE", topic=TOPIC,
        )  # fmt: skip
        ledger.quarantine.put(entry)


def forget_answers(ledger, kind="once"):
    answers = list(ledger.store.client.scan_iter(f"{ledger.store.own}{kind}:*", count=10_000))
    if answers:
        ledger.store.client.delete(*answers)


def used(ledger):
    """Return the bytes of all keys, without the answers that are kept for a minute."""
    forget_answers(ledger)
    with ledger.store.client.pipeline(transaction=False) as pipe:
        for key in ledger.store.client.keys("*"):
            pipe.memory_usage(key, samples=0)
        return sum(pipe.execute())


@pytest.mark.parametrize(
    ("what", "act", "details"),
    [
        pytest.param("message", admit, MANY, id="message"),
        pytest.param("message-of-ten", admit_ten, MANY, id="message-of-ten"),
        pytest.param("worked-on", work, MANY, id="worked-on"),
        pytest.param("parked", park, MANY, id="parked"),
        pytest.param("left", leave, MANY, id="left"),
        pytest.param("returned", give_back, MANY, id="returned"),
        pytest.param("entry", enter, MANY, id="entry"),
        pytest.param("without-details", enter, 1, id="without-details"),
    ],
)
def test_memory_use_is_what_the_page_says(client, what, act, details):
    documented = {row[0].strip("`"): int(row[1].replace(",", "")) for row in schema.rows("Memory")}
    ledger = Ledger(client, "prod", Numbers(quarantine_entries=details))

    act(ledger)

    # Valkey's tables and its allocator make less of it
    least = 0.7 if client.info("server").get("server_name") == "valkey" else 0.9
    assert least * documented[what] <= used(ledger) / MANY <= 1.1 * documented[what]
