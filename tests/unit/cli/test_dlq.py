import json

import pytest

from tests.announcements import own
from tests.unit.test_redrive import bury
from trailcourier import wiring
from trailcourier.ledger.quarantine import Entry

TWO = """
[broker]
url = "env:BROKER"
[sources.prod]
queue_url = "{queue}"
queue_region = "us-east-1"
buckets = ["acme-logs"]
sinks = ["archive"]
[sources.dev]
queue_url = "{queue}-dev"
queue_region = "us-east-1"
buckets = ["acme-logs"]
sinks = ["archive"]
[sinks.archive]
type = "file"
path = "events"
"""


@pytest.fixture(autouse=True)
def dead(sqs, monkeypatch):
    monkeypatch.setattr("trailcourier.redrive.LOOK", 0.01)
    monkeypatch.setattr("trailcourier.deadletters.queue.WAIT", 0)
    sqs.create("trail", redrive=("trail-dead", 1))


def test_an_empty_queue_and_none_are_said(call, sqs):
    said = call("dlq", "list")

    assert (said.code, said.err) == (0, "")
    assert said.out == (
        f"prod: 0 in {sqs.queue_url('trail-dead')}\n"
        "dev: no dead-letter queue: the queue has no redrive policy\n"
    )


def test_what_lies_there_is_listed_with_why_and_what_to_do(call, sqs, ledger):
    (odd,) = bury(sqs, "no \x1b[2J JSON")
    (log,) = bury(sqs, own("a/b", bucket="acme-logs"))
    ledger.quarantine.put(Entry("alike", "message", "too-many-objects", "said so", None, log))

    said = call("dlq", "list", "--source", "prod")

    head, looked, columns, *rows, todo = said.out.splitlines()
    assert head.startswith("prod: 2 in http://")
    assert looked == "  looked at 2; each was received once more for it:"
    assert columns.split() == ["id", "sent", "receives", "reason", "what"]
    assert sorted(row.split()[0] for row in rows) == sorted([odd, log])
    by_id = {row.split()[0]: row for row in rows}
    assert "not-understood" in by_id[odd]
    assert "too-many-objects" in by_id[log]
    assert by_id[log].endswith("s3://acme-logs/a/b")
    assert "\x1b" not in said.out
    assert todo == "  once repaired: trailcourier dlq redrive --source prod"


def test_the_json_has_all_of_it(call, sqs):
    (id_,) = bury(sqs, "no JSON")

    said = call("dlq", "list", "--json")

    prod, dev = json.loads(said.out)["sources"]
    assert said.out.count("\n") == 1
    assert (prod["source"], prod["waiting"]) == ("prod", 1)
    assert [(each["id"], each["reason"], each["receives"]) for each in prod["messages"]] == [
        (id_, "not-understood", 2)
    ]
    assert dev["queue"] == ""
    assert prod.keys() == dev.keys()


def test_nothing_is_received_where_nothing_is_to_be_looked_at(call, sqs):
    bury(sqs, "a")

    said = call("dlq", "list", "--source", "prod", "--peek", "0")

    assert said.out.startswith("prod: 1 in ")
    assert not sqs.log("ReceiveMessage")


def test_a_broker_that_is_away_keeps_nobody_from_looking(call, sqs, monkeypatch):
    bury(sqs, "no JSON")
    monkeypatch.setenv("BROKER", "redis://127.0.0.1:1/0")

    said = call("dlq", "list", "--source", "prod")

    assert said.code == 0
    assert "not-understood" in said.out
    assert "quarantine is not seen, so reasons are missing: " in said.out


def test_a_redrive_moves_what_lies_there_and_says_how(call, sqs):
    bury(sqs, "a", "b")

    said = call("dlq", "redrive", "--source", "prod", "--yes")

    assert said == (0, "prod: 2 moved (by SQS)\n", "")
    assert sorted(sqs.bodies("trail")) == ["a", "b"]


def test_a_redrive_of_all_sources_moves_what_there_is(call, sqs, config):
    sqs.create("trail-dev", redrive=("dev-dead", 1))
    bury(sqs, "a")
    bury(sqs, "b", source="trail-dev")

    said = call("dlq", "redrive", "--yes", "--json")

    told = json.loads(said.out)["sources"]
    assert [(each["source"], each["moved"], each["way"]) for each in told] == [
        ("prod", 1, "move-task"), ("dev", 1, "move-task"),
    ]  # fmt: skip


def test_a_limit_is_kept(call, sqs):
    bury(sqs, *"abc")

    said = call("dlq", "redrive", "--source", "prod", "--yes", "--limit", "2")

    assert said.out == ("prod: 2 moved (received, sent and deleted from here: only 2 of them)\n")
    assert len(sqs.bodies("trail-dead")) == 1


def test_a_queue_may_be_named(call, sqs):
    sqs.create("elsewhere")
    sqs.send("elsewhere", "a")
    url = sqs.queue_url("elsewhere")

    listed = call("dlq", "list", "--source", "prod", "--dlq", url)
    said = call("dlq", "redrive", "--source", "prod", "--dlq", url, "--yes")

    assert listed.out.startswith(f"prod: 1 in {url}\n")
    assert said.out.startswith("prod: 1 moved (received, sent and deleted from here: ")
    assert sqs.bodies("trail") == ["a"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["list", "--dlq", "https://x"], "say which with --source", id="whose"),
        pytest.param(
            ["list", "--source", "prod", "--dlq", "dead"], "--dlq is no URL of a queue", id="no-url"
        ),
        pytest.param(["redrive", "--json"], "say --yes with it", id="json"),
        pytest.param(
            ["redrive", "--yes", "--limit", "0"], "greater than or equal to 1", id="limit"
        ),
    ],
)
def test_what_makes_no_sense_is_said(call, arguments, words):
    said = call("dlq", *arguments)

    assert said.code == 64
    assert words in said.err


def test_nobody_there_is_a_no(call, sqs, monkeypatch, tmp_path):
    bury(sqs, "a")
    (tmp_path / "nothing").touch()
    with (tmp_path / "nothing").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        said = call("dlq", "redrive", "--source", "prod")

    assert said.code == 1
    assert f"prod: 1 messages lie in {sqs.queue_url('trail-dead')}" in said.out
    assert "Nothing was moved. With --yes nobody is asked." in said.out
    assert sqs.bodies("trail-dead") == ["a"]


def test_what_cannot_be_moved_is_a_no_with_its_code(call, sqs):
    sqs.moves.known = False
    bury(sqs, "a", "b")
    sqs.fail_entries("SendMessageBatch", code="InternalError")

    said = call("dlq", "redrive", "--source", "prod", "--yes")

    assert said.code == 1
    assert "1 could not be moved and are still there: InternalError" in said.out


def test_a_queue_that_cannot_be_reached_is_said(call, sqs):
    sqs.fault("*", times=-1, page=b"<html>log in", status=200)

    for verb in (["list"], ["redrive", "--yes"]):
        said = call("dlq", *verb)

        assert (said.code, said.out) == (69, "")
        assert said.err.startswith("trailcourier: not-aws: http://")


def test_the_sessions_of_the_line_are_used(call, sqs):
    call("dlq", "list", configuration=TWO.format(queue=sqs.queue_url("trail")))

    assert wiring.settings().sources.keys() == {"prod", "dev"}
    assert {entry.who.partition(":")[0] for entry in sqs.log()} == {"AKIAEXAMPLE"}
