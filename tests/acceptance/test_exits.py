"""What each exit status means, by processes that end with it."""

import json
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import pytest

from tests.support.announcements import KEY, own
from trailcourier.cli.exits import Exit
from trailcourier.host import embedded_broker
from trailcourier.ledger import broker

DENIED = {"code": "AccessDenied", "status": 403, "times": -1}
FEED = json.dumps(
    {"id": "feed", "kind": "message", "reason": "not-understood", "detail": "odd"}
    | {"first": 1, "last": 1, "times": 1}
)


def hold(url: str, entry: str) -> None:
    """Put one entry into quarantine."""
    with broker.connect(url) as client:
        client.hset("trailcourier:1:s:prod:q", mapping={"feed": entry})
        client.zadd("trailcourier:1:s:prod:qt", {"feed": 1})


class Case(NamedTuple):
    code: int
    verb: str
    words: str = ""
    change: Mapping[str, str] = MappingProxyType({})  # of the configuration
    around: Mapping[str, str] = MappingProxyType({})  # of the environment


QUICK = {
    "done": Case(0, "check"),
    "no": Case(1, "quarantine retry feed"),
    "option": Case(64, "run --darin", "No such option: --darin"),
    "options": Case(64, "run --json", "need --drain"),
    "no-such-entry": Case(64, "quarantine show nothing", "no entry 'nothing'"),
    "broker": Case(
        69,
        "run --drain",
        "broker 127.0.0.1:1/0: no connection",
        {"broker": "redis://:hunter2@127.0.0.1:1/0"},
    ),
    "bug": Case(70, "quarantine list", "a bug: "),
    "another-broker": Case(78, "run", "BROKER_URL: Celery would use", around={"BROKER_URL": "x"}),
    "no-such-source": Case(78, "status --source prd", "there is no source 'prd'"),
    "no-such-sink": Case(78, "run", "sources.prod.sinks: ", {"sink": "nowhere"}),
    "sink-type": Case(78, "run", "sinks.x", {"workers": "\n[sinks.x]\ntype = 'kafla'"}),
    "unknown-key": Case(78, "run", "did you mean processes?", {"workers": "proceses = 2"}),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case.code}-{name}") for name, case in QUICK.items()]
)
def test_a_status_comes_with_at_most_one_line(host, configured_broker, case):
    hold(configured_broker, "no JSON, as nobody foresaw" if case.code == 70 else FEED)
    host.configure(**{"broker": configured_broker, **case.change})
    host.environment |= case.around

    result = host.run(*case.verb.split())

    assert result.code == case.code
    assert case.words in (result.line if case.code > 1 else result.err)
    assert "Traceback" not in result.err
    assert "hunter2" not in result.out + result.err
    assert host.left() == []


def test_every_status_is_met():
    assert {case.code for case in QUICK.values()} == set(Exit)


def test_the_traceback_of_a_bug_is_there_for_who_asks(host, configured_broker):
    hold(configured_broker, "no JSON, as nobody foresaw")
    host.configure(broker=configured_broker)

    result = host.run("quarantine", "list", debug=True)

    assert (result.code, "Traceback" in result.err) == (70, True)


def test_a_second_run_in_the_same_state_folder_is_refused(host):
    with embedded_broker.start_broker(host.folder / "state" / "broker"):
        result = host.run("run")

    assert result.code == 69
    assert "another run uses" in result.line


def test_a_state_folder_that_cannot_be_made_is_a_wrong_configuration(host):
    (host.folder / "state").write_text("in the way")

    result = host.run("run")

    assert result.code == 78
    assert "workers.state_dir: state cannot be used: File exists" in result.line


def test_wrong_credentials_are_reported_in_seconds(host):
    host.sqs.fault("*", code="InvalidClientTokenId", status=403, times=-1)

    began = time.monotonic()
    result = host.run("run", "--drain", "--json")

    assert time.monotonic() - began < 40  # of which most is the start, on a machine in use
    assert result.code == 69
    assert not json.loads(result.out)["sources"][0]["drained"]
    last = result.err.splitlines()[-1]
    assert last.startswith("trailcourier: source prod is not drained, nothing can be received: ")
    assert "InvalidClientTokenId" in last
    assert "Correct `credentials` of the source" in last
    assert "Traceback" not in result.err


PORTAL = {
    "page": b"<!doctype html><title>Log in to the guest network</title>",
    "status": 200,
    "times": -1,
}


@pytest.mark.slow
def test_a_portal_that_answers_for_the_queue_is_no_drained_queue(host):
    host.put(KEY)
    host.sqs.send("trail", own(KEY))
    host.sqs.fault("*", **PORTAL)

    result = host.run("run", "--drain", "--json", "--timeout", "2", seconds=60)
    status = host.run("status")
    doctor = host.run("doctor", "--json")

    assert result.code == 69, result.err
    assert not json.loads(result.out)["sources"][0]["drained"]
    last = result.err.splitlines()[-1]
    assert "is not drained, nothing can be received: Receives from the queue of" in last
    assert "Reason not-aws: " in last
    cause = (
        f"{host.sqs.url.removeprefix('http://')} answered 200, and not as AWS does (text/html): "
    )
    for words in (last, status.out, doctor.out):
        assert f"{cause}'<!doctype html><title>Log in to the guest network" in words
    assert "Log in to the portal" in last
    assert host.sqs.bodies("trail") == [own(KEY)]
    assert (status.code, doctor.code) == (1, 1)
    for each in (result, status, doctor):
        assert "Traceback" not in each.err


@pytest.mark.slow
def test_a_portal_that_answers_for_the_bucket_parks_and_refuses_nothing(host):
    host.put(KEY)
    host.sqs.send("trail", own(KEY))
    host.s3.fault("*", **PORTAL)

    result = host.run("run", "--drain", "--json", "--timeout", "2", seconds=60)

    assert result.code == 69, result.err
    (prod,) = json.loads(result.out)["sources"]
    assert (prod["drained"], prod["refused"]) == (False, [])
    (waiting,) = prod["waiting"]
    assert waiting["reason"] == "not-aws"
    assert host.s3.url.removeprefix("http://") in result.err.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(
            ("*", {"code": "AWS.SimpleQueueService.NonExistentQueue", "times": -1}),
            "no-such-queue",
            id="no-such-queue",
        ),
        pytest.param(("ReceiveMessage", DENIED), "queue-denied", id="receive-denied"),
        pytest.param(("DeleteMessageBatch", DENIED), "1 message not deleted", id="delete-denied"),
    ],
)
def test_a_queue_without_hope_ends_a_drain_in_seconds(host, fault, words):
    what, how = fault
    host.put(KEY)
    host.sqs.send("trail", own(KEY))
    host.sqs.fault(what, **how)

    result = host.run("run", "--drain", "--timeout", "300", seconds=60)

    assert result.code == 69
    assert words in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


@pytest.mark.slow
def test_missing_credentials_are_reported_like_wrong_ones(host):
    del host.environment["AWS_ACCESS_KEY_ID"], host.environment["AWS_SECRET_ACCESS_KEY"]

    result = host.run("run", "--drain")

    assert result.code == 69
    assert "credentials" in result.err.splitlines()[-1]
    assert "Unable to locate credentials" in result.err.splitlines()[-1]


@pytest.mark.slow
def test_refusals_are_a_no_for_who_is_strict(host):
    host.sqs.send("trail", "no JSON at all")

    result = host.run("run", "--drain", "--strict")

    assert result.code == 1
    assert ": not-understood (" in result.err


@pytest.mark.slow
def test_a_fleet_whose_workers_keep_ending_ends_with_their_last_words(host):
    host.environment["PYTHONPATH"] = f"{host.folder}:{host.environment['PYTHONPATH']}"
    (host.folder / "obstore.py").write_text("raise SystemExit('no room for obstore here')")

    result = host.run("run", seconds=90)

    assert result.code == 70
    assert "for the 5th time in a minute" in result.err
    assert "no room for obstore here" in result.err
    assert host.left() == []
