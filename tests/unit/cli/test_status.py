import contextlib
import json
import os
import pty
import re
import signal
import threading
import time
from types import SimpleNamespace

import pytest
import redis

from tests.support.unit_fleets import NOTED, move, pulse, well
from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.cli import status
from trailcourier.ledger import Ledger
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.models import Message, Numbers, Outcome
from trailcourier.operations.overview import Observer

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


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_row_fits_the_terminal_and_no_heading_is_broken(call, busy, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))

    result = call("status", "--source", "prod", "--workers")

    lines = result.out.splitlines()
    tables = result.out.split("\n\n")[:4]
    assert max(map(len, lines)) <= width
    assert len(tables[1].splitlines()) <= (7 if width == 60 else 2)
    for word, table in zip(("success", "repaired", "quarantine", "threads"), tables, strict=True):
        assert word in table
    assert "…" not in result.out


def test_on_a_narrow_terminal_each_value_has_a_line(call, busy, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")

    lines = [line.rstrip() for line in call("status").out.splitlines()]

    assert lines[0].split() == ["source", "prod"]
    assert lines[4].split() == ["in", "flight", "2"]
    assert lines[7].split() == ["state", "well"]
    assert lines[9].split() == ["source", "dev"]


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
        "\nprod, dev: Deliveries to sink archive are paused: circuit breaker open since "
        in result.out
    )
    assert "Reason sink-full: no room on \\x1b[2J[red]disk. Make room" in result.out
    assert result.out.count("circuit breaker open since") == 1  # both sources wait for it
    assert result.out.count("\nfleet: No object worker: nothing is received. Start one") == 1


@pytest.mark.parametrize(
    ("role", "state", "words"),
    [
        ("control", "no workers", "fleet: No control worker since "),
        ("objects", "no workers", "fleet: No object worker since "),
        ("beat", "stalled", "prod, dev: No tick since "),
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


def test_the_broker_says_how_much_memory_it_uses(call, client, busy):
    client.config_set(
        "maxmemory", str(client.info("memory")["used_memory"] * 100 // 95 + (1 << 16))
    )

    text, found = call("status").out, json.loads(call("status", "--json").out)
    client.config_set("maxmemory", "0")

    assert re.search(r"\nbroker: \d+\.\d MiB used of \d+\.\d MiB \(9\d%\)\n", text)
    assert re.search("\nfleet: The broker uses 9", text)
    assert found["broker"]["used_bytes"] < found["broker"]["most_bytes"]


def test_a_broker_without_a_limit_says_so(call, busy):
    assert "MiB used of memory without a limit\n" in call("status").out
    assert json.loads(call("status", "--json").out)["broker"]["most_bytes"] is None


def test_refused_messages_and_those_in_the_dead_letter_queue_are_numbers(call, busy, sqs):
    sqs.create("dead")
    sqs.create("trail", redrive=("dead", 5))
    sqs.send("dead", "a", "b", "c")
    foreign = QuarantineEntry("e", "message", "not-understood", "no", message="m9")
    busy.quarantine.set_aside(foreign, Message("m9", "r", "", 2))

    text = call("status", "--source", "prod").out
    (prod,) = json.loads(call("status", "--source", "prod", "--json").out)["sources"]

    assert columns(text.split("\n\n")[2].splitlines()[1]) == ["prod", "1", "1", "3"]
    assert (prod["refused_messages"], prod["dead_letters"]) == (1, 3)
    assert "\nprod: The dead-letter queue has 3 messages: `trailcourier dlq list" in text


def test_the_processes_are_listed_by_host_role_version_and_configuration(call, busy, pass_time):
    pulse(busy, "objects", host="host-b", config="0ther", version="0.2.0")

    rows = [columns(line) for line in call("status", "--workers").out.split("\n\n")[3].splitlines()]

    assert rows[0] == [
        "host", "role", "pid", "version", "configuration", "threads", "last", "seen", "alive",
    ]  # fmt: skip
    assert [each[:6] for each in rows[1:]] == [
        ["host", "beat", "7", "0.1.0", "c0ffee", "0"],
        ["host", "control", "7", "0.1.0", "c0ffee", "0"],
        ["host", "objects", "7", "0.1.0", "c0ffee", "8"],
        ["host-b", "objects", "7", "0.2.0", "0ther", "8"],
    ]
    assert rows[1][-1] == "yes"


def test_a_measured_status_has_the_rate_and_the_backlogs_time_left(call, busy, sqs, monkeypatch):
    sqs.send("trail", *map(str, range(8)))
    done = {"records:in": 500, "objects:delivered": 5, "messages:deleted": 5}
    # its own: other threads of this process sleep too
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: busy.sums.count(done))
    monkeypatch.setattr(status, "time", clock)

    measured = ["status", "--source", "prod", "--measure", "5"]
    text, as_json = call(*measured).out, call(*measured, "--json").out
    (prod,) = json.loads(as_json)["sources"]

    assert columns(text.split("\n\n")[3].splitlines()[0])[:2] == ["source", "records/s"]
    rate = prod["rate"]
    assert rate["records"] == pytest.approx(100 * rate["messages"])
    assert rate["backlog_seconds"] == pytest.approx((8 + 2) / rate["messages"])
    assert call("status").out.count("records/s") == 0


def interrupt_when(done):
    """Send this process SIGINT, as Ctrl-C does, once *done* says so."""

    def wait():
        deadline = time.monotonic() + 120
        while not done() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.fixture
def looks(monkeypatch):
    """How often the status was looked at."""
    made = []
    look = Observer.look

    def counted(self):
        found = look(self)
        made.append(found)
        return found

    monkeypatch.setattr(Observer, "look", counted)
    return made


def test_a_live_view_prints_a_block_for_each_look_and_ends_with_0(call, busy, looks):
    thread = interrupt_when(lambda: len(looks) >= 3)

    result = call("status", "--watch", "--interval", "0.5", "--source", "prod")
    thread.join()

    assert (result.code, result.err) == (0, "")
    assert len(re.findall(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$", result.out)) == len(looks)
    assert result.out.count("records/s") == len(looks) - 1  # the first look has no rate
    assert "\x1b" not in result.out


def test_a_live_view_as_json_has_one_object_in_each_line(call, busy, looks):
    thread = interrupt_when(lambda: len(looks) >= 2)

    result = call("status", "--watch", "--interval", "0.5", "--json")
    thread.join()

    found = [json.loads(line) for line in result.out.splitlines()]
    assert (result.code, len(found)) == (0, len(looks))
    assert (found[0]["sources"][0]["rate"], found[1]["sources"][0]["rate"]["records"]) == (None, 0)


def test_a_live_view_goes_on_while_the_broker_does_not_answer(call, busy, looks, monkeypatch):
    look, failed = Observer.look, []

    def fails_once(self):
        if len(looks) == 1 and not failed:
            failed.append(1)
            raise redis.ConnectionError("Connection refused")
        return look(self)

    monkeypatch.setattr(Observer, "look", fails_once)
    thread = interrupt_when(lambda: len(looks) >= 2)

    result = call("status", "--watch", "--interval", "0.5")
    thread.join()

    assert result.code == 0
    assert result.out.count("no connection (Connection refused)") == 1
    assert result.out.count("broker: ") == 2


def test_a_live_view_redraws_a_terminal_and_leaves_the_last_look(call, busy, looks, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    ours, theirs = pty.openpty()
    written = bytearray()

    def read():
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65_536):
                written.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    thread = interrupt_when(lambda: len(looks) >= 2)
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        result = call("status", "--watch", "--interval", "0.5", "--source", "prod")
    thread.join()
    reader.join()
    os.close(ours)

    assert result.code == 0
    redrawn, _, left = bytes(written).partition(b"\x1b[?1049l")
    assert redrawn.startswith(b"\x1b[?1049h")  # the second screen
    assert redrawn.count(b"last success") == len(looks)
    assert left.count(b"last success") == 1
