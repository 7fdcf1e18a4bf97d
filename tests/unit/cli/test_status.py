import json
import os
import pty
import re

import pytest

from tests.support.unit_fleets import NOTED, move, pulse, well
from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.models import Numbers, Outcome

SUMS = {
    "records:in": 1_234_567,
    "sink:archive:delivered": 1_200_000,
    "sink:archive:filtered": 34_567,
}


@pytest.fixture
def busy(ledger):
    """A source with a value in every column."""
    well(ledger)
    move(Ledger(ledger.store.client, "dev", Numbers()))
    admit(ledger, "m1", refs("a"))
    ledger.outcomes.write(claim(ledger, "m1"), Report(Outcome("delivered"), sums=SUMS), jitter=1.0)
    admit(ledger, "m2", refs("b", "c"))
    return ledger


@pytest.fixture
def aged(busy, pass_time):
    """The same source, after *seconds* have passed."""

    def aged(seconds):
        pass_time(seconds)
        return busy

    return aged


def columns(line):
    return line.split()


def test_each_source_has_a_row_of_work_in_hand_and_one_of_sums(call, busy, sqs):
    sqs.send("trail", "one", "two")

    result = call("status")

    assert (result.code, result.err) == (0, "")
    now, sums = result.out.split("\n\n")[:2]
    source, depth, leased, _, _, in_flight = columns(now.splitlines()[-2])[:6]
    assert (source, depth, leased, in_flight) == ("prod", "2", "2", "2")
    assert now.splitlines()[-2].rstrip().endswith("well")
    assert columns(sums.splitlines()[1]) == [
        "prod", "archive", "1,234,567", "1,200,000", "34,567", "0", "0",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_a_row_fits_the_terminal(call, busy, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))

    result = call("status", "--source", "prod")

    lines = result.out.splitlines()
    assert max(map(len, lines)) <= width
    now, _, sums = result.out.partition("\n\n")
    assert len(now.splitlines()) <= (3 if width == 80 else 2)
    assert len(sums.splitlines()) == 2
    assert "…" not in result.out


def test_every_number_is_in_the_json(call, busy, sqs):
    sqs.send("trail", "one")

    result = call("status", "--json")

    (prod, dev) = json.loads(result.out)["sources"]
    assert result.out.count("\n") == 1
    assert (prod["source"], prod["depth"], prod["messages"], prod["in_flight"]) == ("prod", 1, 2, 2)
    assert prod["sinks"] == {"archive": {"delivered": 1_200_000, "filtered": 34_567, "refused": 0}}
    assert dev["records"] == {"in": 0}
    assert prod.keys() == dev.keys()


def test_the_status_can_be_limited_to_one_source(call, busy):
    result = call("status", "--json", "--source", "dev")

    assert [each["source"] for each in json.loads(result.out)["sources"]] == ["dev"]


def test_an_unknown_source_is_an_error_that_lists_the_known_ones(call):
    result = call("status", "--source", "prd")

    assert result == (78, "", "trailcourier: there is no source 'prd'; configured: prod, dev\n")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(
            {"code": "AWS.SimpleQueueService.NonExistentQueue"}, "no-such-queue: ", id="no-such"
        ),
        pytest.param({"code": "InvalidClientTokenId"}, "credentials: ", id="credentials"),
        pytest.param({"reset": True}, "network: ", id="network"),
        pytest.param({"page": b"<html>log in", "status": 200}, "not-aws: ", id="portal"),
    ],
)
def test_a_queue_that_does_not_answer_leaves_its_depth_unknown(call, busy, sqs, fault, words):
    sqs.fault("GetQueueAttributes", times=-1, **fault)

    result = call("status", "--source", "prod")

    assert (result.code, result.err) == (0, "")
    assert " ? " in result.out
    assert f"\nprod: The depth of the queue is unknown: {words}" in result.out


def test_a_queue_that_denies_its_attributes_is_no_problem(call, busy, sqs):
    sqs.fault("GetQueueAttributes", times=-1, code="AccessDenied", status=403)

    (prod,) = json.loads(call("status", "--json", "--source", "prod").out)["sources"]

    assert (prod["depth"], prod["advice"]) == (None, [])


def test_what_pauses_a_source_is_described_below_the_table(call, client, ledger):
    ledger.breakers.count_failure(
        "sink:archive", "a", reason="sink-full", text="no room on \x1b[2J[red]disk", limit=1
    )

    result = call("status")

    assert " paused\n" in result.out
    assert result.code == 1
    assert (
        "\nprod: Deliveries to sink archive are paused: circuit breaker open since " in result.out
    )
    assert "Reason sink-full: no room on \\x1b[2J[red]disk. Make room" in result.out
    assert "\ndev: Deliveries to sink archive are paused" in result.out  # sources share it
    assert result.out.count("\nfleet: No object worker: nothing is received. Start one") == 1


@pytest.mark.parametrize(
    ("role", "state", "words"),
    [
        ("control", "no workers", "fleet: No control worker since "),
        ("objects", "no workers", "fleet: No object worker since "),
        ("beat", "stalled", "prod: No tick since "),
    ],
)
def test_a_missing_role_is_reported_with_since_when_and_exits_1(call, aged, role, state, words):
    busy = aged(50)
    for other in {"control", "objects", "beat"} - {role}:
        pulse(busy, other)
    for source in ("prod", "dev"):
        move(Ledger(busy.store.client, source, Numbers()), "poll", "maintenance", "settle")
        if role != "beat":
            move(Ledger(busy.store.client, source, Numbers()), "tick")

    result = call("status")

    assert (result.code, result.err) == (1, "")
    assert f"\n{words}" in result.out
    assert state in result.out
    assert re.search(r"\(5\d s\)", result.out)


def test_a_clock_that_is_off_is_reported_and_exits_0(call, busy):
    pulse(busy, "objects", host="host-b", ahead=-7.4)

    result = call("status")

    assert result.code == 0
    assert "\nfleet: objects@host-b/7 on host-b: its clock is 7 s behind the broker's" in result.out


def test_a_full_broker_is_the_only_problem_reported(call, client):
    client.config_set("maxmemory", "1")

    result = call("status")
    client.config_set("maxmemory", "0")

    assert (result.code, result.err) == (1, "")
    assert "\nfleet: broker 127.0.0.1:" in result.out
    assert "its memory is full" in result.out
    assert "No control worker" not in result.out


def test_the_json_has_every_process_and_problem(call, busy, pass_time):
    pulse(busy, "objects", host="host-b", config="0ther", ahead=6.0)

    result = call("status", "--json")

    output = json.loads(result.out)
    assert result.code == 1
    assert [each["kind"] for each in output["sources"][0]["problems"]] == ["two-configurations"]
    assert output["sources"][0]["steps"].keys() == {*NOTED, "forward"}
    assert [(each["name"], each["alive"], each["config"]) for each in output["processes"]] == [
        ("beat@host/7", True, "c0ffee"),
        ("control@host/7", True, "c0ffee"),
        ("objects@host-b/7", True, "0ther"),
        ("objects@host/7", True, "c0ffee"),
    ]
    assert len(output["advice"]) == 1


def test_two_versions_are_reported_and_exit_0(call, busy):
    pulse(busy, "objects", host="host-b", config="0ther", version="0.2.0")

    as_text, as_json = call("status"), call("status", "--json")

    assert (as_text.code, as_json.code) == (0, 0)
    assert "\nfleet: Two versions in this fleet: 0.1.0 on beat@host/7 on host" in as_text.out
    (advice,) = json.loads(as_json.out)["advice"]
    assert advice.startswith("Two versions in this fleet: ")


def test_a_breaker_of_another_source_is_not_shown(call, client):
    Ledger(client, "dev", Numbers()).breakers.count_failure(
        "queue:dev", "a", reason="network", text="gone", limit=1
    )

    result = call("status", "--source", "prod")

    assert "queue:dev" not in result.out


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [pytest.param({}, True, id="terminal"), pytest.param({"NO_COLOR": "1"}, False, id="NO_COLOR")],
)
def test_colours_are_only_for_terminals_that_want_them(
    call, busy, monkeypatch, environment, coloured
):
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        call("status", "--source", "prod")
    written = os.read(ours, 100_000)
    os.close(ours)

    assert (b"\x1b[32m" in written) is coloured  # green
    assert b"well" in written


def test_without_a_terminal_there_is_no_escape(call, busy):
    result = call("status")

    assert "\x1b" not in result.out


def test_a_broker_that_evicts_keys_is_refused(call, client):
    client.config_set("maxmemory-policy", "allkeys-lru")

    result = call("status")
    client.config_set("maxmemory-policy", "noeviction")

    assert result.code == 78
    assert "maxmemory-policy is allkeys-lru" in result.err


def test_a_broker_that_does_not_answer_exits_69(call, monkeypatch):
    monkeypatch.setenv("BROKER", "redis://:hunter2@127.0.0.1:1/0")

    result = call("status")

    assert (result.code, result.out) == (69, "")
    assert result.err.startswith("trailcourier: broker 127.0.0.1:1/0: no connection")
    assert result.err.count("\n") == 1
    assert "hunter2" not in result.err
