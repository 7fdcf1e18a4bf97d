"""The options and output of ``run``; tests/acceptance/test_run.py runs a fleet with it."""

import contextlib
import io
import json
import os
import threading
import types

import pytest
from rich.console import Console

from tests.unit.ledger.conftest import refs
from trailcourier import settings
from trailcourier.cli import output, run
from trailcourier.ledger.parked import ParkedObject
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.models import ObjectRef
from trailcourier.operations.drain import Drained, DrainResult, Progress
from trailcourier.settings.digest import digest

KEPT = "Nothing is lost: what was not delivered is still in the queue."
EVIL = "\x1b]0;owned\x07.json.gz"


def drained(*refused, objects=None, waiting=(), ended=True):
    objects = {"delivered": 0} | (objects or {})
    return Drained("prod", ended, objects, {"in": 0}, {}, {}, refused, waiting)


def entry(key="a"):
    return QuarantineEntry(
        "id-of-it", "object", "corrupt", "broken", ObjectRef("acme-logs", key), "m1"
    )


@pytest.fixture
def started(monkeypatch):
    """Replace the fleet: keep what it would be started with, and run nothing."""
    given = types.SimpleNamespace(more={}, stopping=threading.Event())

    @contextlib.contextmanager
    def running(found, *, say, more=None, log=None):
        run.wiring.configure(found)
        given.more, given.log = dict(more or {}), log
        yield types.SimpleNamespace(fleet=given)

    monkeypatch.setattr(run.launch, "running", running)
    return given


@pytest.fixture
def ends(started, monkeypatch):
    """Let the drain return *result*."""

    def ends(result):
        monkeypatch.setattr(run, "drain", lambda *_, **__: result)

    return ends


@pytest.mark.parametrize("option", ["--strict", "--json"])
def test_an_option_of_a_drain_needs_drain(call, option):
    result = call("run", option)

    assert result.code == 64
    assert "--strict and --json need --drain" in result.err


def test_a_negative_timeout_is_a_usage_error(call):
    assert call("run", "--drain", "--timeout", "-1").code == 64


def test_json_and_a_stdout_sink_exclude_each_other(call, config):
    mixed = config.replace('type = "file"\npath = "events"', 'type = "stdout"')

    result = call("run", "--drain", "--json", configuration=mixed)

    assert (result.code, result.out) == (64, "")
    assert "--json and the sink 'archive' both write to standard output" in result.err


def test_a_stdout_sink_that_no_source_uses_does_not_exclude_json(call, config, ends):
    ends(DrainResult([drained()]))

    result = call(
        "run", "--drain", "--json", configuration=f'{config}\n[sinks.other]\ntype = "stdout"\n'
    )

    assert result.code == 0


ROWS = [
    pytest.param(DrainResult([drained(objects={"delivered": 2})]), [], 0, id="drained"),
    pytest.param(DrainResult([drained(entry())]), [], 0, id="refused"),
    pytest.param(DrainResult([drained(entry())]), ["--strict"], 1, id="refused-strict"),
    pytest.param(DrainResult([drained()]), ["--strict"], 0, id="nothing-refused-strict"),
    pytest.param(DrainResult([drained(ended=False)]), [], 0, id="stopped"),
    pytest.param(DrainResult([drained(ended=False)], "prod waits."), [], 69, id="waits"),
    pytest.param(
        DrainResult([drained(entry())], "prod waits."), ["--strict"], 69, id="waits-strict"
    ),
]


@pytest.mark.parametrize(("result", "options", "code"), ROWS)
def test_the_result_of_a_drain_is_its_exit_status(call, ends, result, options, code):
    ends(result)

    plain, as_json = call("run", "--drain", *options), call("run", "--drain", "--json", *options)

    assert (plain.code, as_json.code) == (code, code)
    assert plain.out == ""
    assert as_json.out.count("\n") == 1
    assert json.loads(as_json.out)["why"] == result.why


def test_a_drain_has_the_configuration_digest_of_the_fleet(call, ends, started):
    ends(DrainResult([drained()]))
    fleets = digest(settings.load())

    call("run", "--drain")

    assert started.more
    assert digest(settings.load(env={**os.environ, **started.more})) == fleets


def test_the_summary_says_how_many_were_delivered_filtered_refused_and_left(call, ends):
    found = Drained(
        "prod", drained=False,
        objects={
            "named": 1207, "delivered": 1200, "skipped:digest": 3, "refused:corrupt": 1,
            "refused:too-large": 1, "in-hand": 2,
        },
        records={"in": 9000, "filtered:aws-reads": 1500},
        sinks={"siem": {"delivered": 7400, "filtered": 1500, "refused": 100, "repaired": 2}},
        messages={"received": 1206, "deleted": 1200, "unread:test": 1, "left": 2, "lost": 1,
                  "in-hand": 2},
        refused=(entry(),), waiting=(ParkedObject(*refs("b"), "archived"),), left=4,
    )  # fmt: skip
    ends(DrainResult([found], "source prod is not drained."))

    result = call("run", "--drain")

    objects, records, messages, *rest = result.err.replace("trailcourier: ", "").splitlines()
    assert objects == (
        "prod: 1,207 objects: 1,200 delivered, 3 skipped (digest), 2 refused (1 corrupt, "
        "1 too-large), 2 left"
    )
    assert records == (
        "prod: 9,000 records to siem: 7,400 delivered, 1,500 filtered, 100 refused; 2 refused "
        "before delivered now"
    )
    assert messages == (
        "prod: 1,206 messages: 1,200 deleted, 1 announced no log file (test), 2 refused, in the "
        "queue until its redrive policy moves them, 1 that come again, 2 left; 4 more hidden in "
        "SQS"
    )
    assert rest == [
        "prod: refused s3://acme-logs/a: corrupt (id-of-it)",
        f"source prod is not drained. {KEPT}",
    ]


def test_the_summary_lists_20_refusals_and_counts_the_rest(call, ends):
    ends(DrainResult([drained(*[entry()] * 23)]))

    lines = call("run", "--drain").err.splitlines()

    assert len(lines) == 1 + 20 + 1  # nothing to forward, and the refusals
    assert lines[-1] == "trailcourier: prod: refused 3 more; --json lists them all"


def test_a_drain_that_was_stopped_says_what_to_do(call, ends):
    ends(DrainResult([drained(ended=False)]))

    assert call("run", "--drain").err.splitlines()[-1] == (
        "trailcourier: stopped before all was delivered; what is left is still in the queue: "
        "run it again"
    )


def test_a_source_with_nothing_to_forward_is_reported(call, ends):
    ends(DrainResult([drained()]))

    assert call("run", "--drain").err == "trailcourier: prod: nothing to forward\n"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_key_cannot_act_on_the_terminal(call, ends, options):
    ends(DrainResult([drained(entry(EVIL))]))

    result = call("run", "--drain", *options)

    assert (result.out + result.err).replace("\n", "").isprintable()
    assert "owned" in result.out + result.err


def test_a_drain_polls_for_a_second_at_a_time(call, ends, started):
    ends(DrainResult([drained()]))

    call("run", "--drain")

    assert started.more == {"TRAILCOURIER_LINE__RECEIVE_WAIT": "1"}


def test_a_run_waits_until_it_is_stopped(call, started):
    started.stopping.set()

    result = call("run")

    assert (result.code, result.out) == (0, "")
    assert result.err == "trailcourier: running prod, dev; stop with Ctrl-C\n"
    assert started.more == {}


@pytest.fixture
def terminal(monkeypatch):
    console = Console(
        file=io.StringIO(), force_terminal=True, width=80, soft_wrap=True, highlight=False
    )
    monkeypatch.setattr(run, "console", console)
    return console


def test_on_a_terminal_the_fleet_logs_in_console_format(call, ends, started, terminal):
    ends(DrainResult([drained()]))

    call("run", "--drain")

    assert started.more["TRAILCOURIER_WORKERS__LOG_FORMAT"] == "console"
    assert started.more["TRAILCOURIER_WORKERS__LOG_LEVEL"] == "warning"


def test_log_settings_of_the_configuration_hold_on_a_terminal_too(
    call, config, ends, started, terminal
):
    ends(DrainResult([drained()]))
    log = '\n[workers]\nlog_format = "json"\nlog_level = "info"\n'

    call("run", "--drain", configuration=config + log)

    assert started.more.keys() == {"TRAILCOURIER_LINE__RECEIVE_WAIT"}


@pytest.mark.parametrize("drain", [[], ["--drain"]])
def test_the_log_format_holds_for_this_process_and_the_fleet(call, ends, started, terminal, drain):
    ends(DrainResult([drained()]))
    started.stopping.set()

    call("run", *drain, "--log-format", "json")

    assert started.more["TRAILCOURIER_WORKERS__LOG_FORMAT"] == "json"
    assert run.wiring.settings().workers.log_format == "json"


def test_the_fleets_log_is_printed_above_the_progress(call, ends, started, terminal):
    ends(DrainResult([drained()]))
    call("run", "--drain")

    started.log.write(b"[warning] a [bold]line\n")
    started.log.flush()

    assert "[warning] a [bold]line\n" in terminal.file.getvalue()


def test_progress_without_a_terminal_is_a_line_every_ten_seconds(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: clock[0])
    console = Console(stderr=True, soft_wrap=True, highlight=False)

    with output.progress(console, run.REPORT_INTERVAL) as show:
        for at, delivered in ((5, 1), (11, 1200), (15, 1300), (30, 1200), (45, 1400)):
            clock[0] = at
            show(run._progress_line([Progress("prod", 16, 2, 18, 0, delivered, 0)]))

    assert capsys.readouterr().err.splitlines() == [
        "trailcourier: prod: 1,200 delivered, 16 in flight, 2 parked",
        "trailcourier: prod: 1,400 delivered, 16 in flight, 2 parked",
    ]
