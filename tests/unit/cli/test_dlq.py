import json

import pytest

from tests.support.announcements import own
from tests.unit.operations.test_redrive import bury
from trailcourier import wiring
from trailcourier.ledger.quarantine import QuarantineEntry

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
    monkeypatch.setattr("trailcourier.operations.redrive.CHECK_INTERVAL", 0.01)
    monkeypatch.setattr("trailcourier.aws.dead_letters.queue.WAIT", 0)
    sqs.create("trail", redrive=("trail-dead", 1))


def test_an_empty_queue_and_a_missing_one_are_shown(call, sqs):
    result = call("dlq", "list")

    assert (result.code, result.err) == (0, "")
    assert result.out == (
        f"prod: 0 in {sqs.queue_url('trail-dead')}\n"
        "dev: no dead-letter queue: the queue has no redrive policy\n"
    )


def test_messages_are_listed_with_their_reason_and_what_to_do(call, sqs, ledger):
    (odd,) = bury(sqs, "no \x1b[2J JSON")
    (log,) = bury(sqs, own("a/b", bucket="acme-logs"))
    ledger.quarantine.put(
        QuarantineEntry("alike", "message", "too-many-objects", "said so", None, log)
    )

    result = call("dlq", "list", "--source", "prod")

    head, looked, columns, *rows, todo = result.out.splitlines()
    assert head.startswith("prod: 2 in http://")
    assert looked == "  2 of them (listing them added 1 to their receive counts):"
    assert columns.split() == ["id", "sent", "receives", "reason", "what"]
    assert sorted(row.split()[0] for row in rows) == sorted([odd, log])
    by_id = {row.split()[0]: row for row in rows}
    assert "not-understood" in by_id[odd]
    assert "too-many-objects" in by_id[log]
    assert by_id[log].endswith("s3://acme-logs/a/b")
    assert "\x1b" not in result.out
    assert todo == "  after the cause is repaired: trailcourier dlq redrive --source prod"


def test_the_json_has_every_field(call, sqs):
    (id_,) = bury(sqs, "no JSON")

    result = call("dlq", "list", "--json")

    prod, dev = json.loads(result.out)["sources"]
    assert result.out.count("\n") == 1
    assert (prod["source"], prod["waiting"]) == ("prod", 1)
    assert [(each["id"], each["reason"], each["receives"]) for each in prod["messages"]] == [
        (id_, "not-understood", 2)
    ]
    assert dev["queue"] == ""
    assert prod.keys() == dev.keys()


def test_peek_0_receives_nothing(call, sqs):
    bury(sqs, "a")

    result = call("dlq", "list", "--source", "prod", "--peek", "0")

    assert result.out.startswith("prod: 1 in ")
    assert not sqs.log("ReceiveMessage")


def test_the_listing_works_without_the_broker(call, sqs, monkeypatch):
    bury(sqs, "no JSON")
    monkeypatch.setenv("BROKER", "redis://127.0.0.1:1/0")

    result = call("dlq", "list", "--source", "prod")

    assert result.code == 0
    assert "not-understood" in result.out
    assert "quarantine could not be read, so reasons are missing: " in result.out


def test_a_redrive_moves_the_messages_and_says_how(call, sqs):
    bury(sqs, "a", "b")

    result = call("dlq", "redrive", "--source", "prod", "--yes")

    assert result == (0, "prod: 2 moved (by SQS)\n", "")
    assert sorted(sqs.bodies("trail")) == ["a", "b"]


def test_a_redrive_of_all_sources_moves_all_messages(call, sqs, config):
    sqs.create("trail-dev", redrive=("dev-dead", 1))
    bury(sqs, "a")
    bury(sqs, "b", source="trail-dev")

    result = call("dlq", "redrive", "--yes", "--json")

    sources = json.loads(result.out)["sources"]
    assert [(each["source"], each["moved"], each["way"]) for each in sources] == [
        ("prod", 1, "move-task"), ("dev", 1, "move-task"),
    ]  # fmt: skip


def test_a_redrive_moves_no_more_than_the_limit(call, sqs):
    bury(sqs, *"abc")

    result = call("dlq", "redrive", "--source", "prod", "--yes", "--limit", "2")

    assert result.out == (
        "prod: 2 moved (received, sent and deleted by this command: only 2 of them)\n"
    )
    assert len(sqs.bodies("trail-dead")) == 1


def test_the_dead_letter_queue_can_be_named(call, sqs):
    sqs.create("elsewhere")
    sqs.send("elsewhere", "a")
    url = sqs.queue_url("elsewhere")

    listed = call("dlq", "list", "--source", "prod", "--dlq", url)
    result = call("dlq", "redrive", "--source", "prod", "--dlq", url, "--yes")

    assert listed.out.startswith(f"prod: 1 in {url}\n")
    assert result.out.startswith("prod: 1 moved (received, sent and deleted by this command: ")
    assert sqs.bodies("trail") == ["a"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["list", "--dlq", "https://x"], "name it with --source", id="whose"),
        pytest.param(
            ["list", "--source", "prod", "--dlq", "dead"],
            "--dlq is not the URL of a queue",
            id="no-url",
        ),
        pytest.param(["redrive", "--json"], "add --yes", id="json"),
        pytest.param(
            ["redrive", "--yes", "--limit", "0"], "greater than or equal to 1", id="limit"
        ),
    ],
)
def test_wrong_options_are_a_usage_error(call, arguments, words):
    result = call("dlq", *arguments)

    assert result.code == 64
    assert words in result.err


def test_without_an_answer_nothing_is_moved(call, sqs, monkeypatch, tmp_path):
    bury(sqs, "a")
    (tmp_path / "nothing").touch()
    with (tmp_path / "nothing").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        result = call("dlq", "redrive", "--source", "prod")

    assert result.code == 1
    assert f"prod: 1 messages in {sqs.queue_url('trail-dead')}" in result.out
    assert "Nothing was moved. Use --yes" in result.out
    assert sqs.bodies("trail-dead") == ["a"]


def test_messages_that_cannot_be_moved_are_reported_with_the_code_and_exit_1(call, sqs):
    sqs.moves.known = False
    bury(sqs, "a", "b")
    sqs.fail_entries("SendMessageBatch", code="InternalError")

    result = call("dlq", "redrive", "--source", "prod", "--yes")

    assert result.code == 1
    assert "1 could not be moved and are still there: InternalError" in result.out


def test_a_queue_that_cannot_be_reached_exits_69(call, sqs):
    sqs.fault("*", times=-1, page=b"<html>log in", status=200)

    for verb in (["list"], ["redrive", "--yes"]):
        result = call("dlq", *verb)

        assert (result.code, result.out) == (69, "")
        assert result.err.startswith("trailcourier: not-aws: http://")


def test_the_aws_sessions_of_the_line_are_used(call, sqs):
    call("dlq", "list", configuration=TWO.format(queue=sqs.queue_url("trail")))

    assert wiring.settings().sources.keys() == {"prod", "dev"}
    assert {entry.who.partition(":")[0] for entry in sqs.log()} == {"AKIAEXAMPLE"}
