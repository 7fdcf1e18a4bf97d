"""Events: one escaped line each on standard error, and their counters."""

import ast
import io
import json
import logging
from pathlib import Path

import pytest
import structlog

from trailcourier.observability import log, metrics
from trailcourier.observability.events import EVENTS
from trailcourier.observability.ratelimit import LINES

ROOT = Path(__file__).parents[3]
HUNTER = "hunter2-correct-horse"
ESCAPE = "s3://acme-logs/\x1b]0;owned\x07\n{}\x9b2J\u202e.gz"


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def as_it_was():
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_an_event_is_one_line_of_json_on_standard_error(capsys):
    log.configure("json", "info")

    log.emit("breaker_opened", source="prod", why="no room")

    out, err = capsys.readouterr()
    assert out == ""
    output = json.loads(err)
    assert output.pop("timestamp").endswith("Z")
    assert output == {
        "event": "breaker_opened", "level": "error", "source": "prod", "why": "no room",
    }  # fmt: skip
    assert err.count("\n") == 1


def test_an_unknown_event_is_an_error():
    with pytest.raises(KeyError):
        log.emit("nobody_knows")


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["poll_held_up", "filter_in_force", "degraded", "bug"]),
        ("info", ["filter_in_force", "degraded", "bug"]),
        ("warning", ["degraded", "bug"]),
        ("error", ["bug"]),
    ],
)
def test_an_event_below_the_level_is_not_written(capsys, level, events):
    log.configure("json", level)

    for event in ("poll_held_up", "filter_in_force", "degraded", "bug"):
        log.emit(event)

    written = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in written] == events


@pytest.mark.parametrize("style", ["json", "console"])
def test_text_from_outside_stays_on_its_line_and_off_the_terminal(capsys, style):
    log.configure(style, "info")

    log.emit("object_refused", object=ESCAPE, detail=[ESCAPE])

    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.removesuffix("\n").isprintable()
    assert "owned" in err


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_shows_no_values_and_no_escapes(capsys, style):
    log.configure(style, "info")

    def fail(password):
        raise ValueError(f"about {ESCAPE}, not said to {len(password)}")

    try:
        fail(HUNTER)
    except ValueError:
        log.emit("bug", exc_info=True)

    err = capsys.readouterr().err
    assert "ValueError: about s3://acme-logs/" in err
    assert HUNTER not in err
    assert err.replace("\n", "").isprintable()


def test_a_terminal_gets_console_format_and_a_pipe_json(monkeypatch, capsys):
    log.configure("auto", "info")
    log.emit("filter_in_force")
    piped = capsys.readouterr().err
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    log.configure("auto", "info")
    log.emit("filter_in_force")

    assert json.loads(piped)["event"] == "filter_in_force"
    assert "\x1b[" in terminal.getvalue()  # colours
    assert "{" not in terminal.getvalue()


def test_lines_of_libraries_have_the_same_format(capsys):
    log.configure("json", "info")
    log.adopt("json", logging.INFO)

    logging.getLogger("celery.worker").warning("lost %s", ESCAPE)
    logging.getLogger("celery.worker").debug("not said")

    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"]) == ("warning", "celery.worker")
    assert entry["event"] == f"lost {ESCAPE}"


def test_lines_of_libraries_are_escaped_on_a_console_too(capsys):
    log.adopt("console", logging.INFO)

    logging.getLogger("celery.worker").warning("lost %s", ESCAPE)

    err = capsys.readouterr().err
    assert err.removesuffix("\n").isprintable()


def test_lines_go_to_the_current_standard_error(monkeypatch, capsys):
    log.configure("json", "info")
    later = io.StringIO()
    monkeypatch.setattr("sys.stderr", later)

    log.emit("filter_in_force")

    assert json.loads(later.getvalue())["event"] == "filter_in_force"
    assert capsys.readouterr().err == ""


def counter(name, **labels):
    """Return the value of the counter."""
    return metrics._bound(name, tuple(labels.items()))._value.get()


def test_an_event_is_counted_with_its_line():
    labels = {"source": "a-test", "disposition": "delivered", "reason": ""}
    before = counter("objects_total", **labels)

    log.emit("object_delivered", source="a-test", object="s3://a/b", records=3)

    assert counter("objects_total", **labels) == before + 1


def test_an_event_counts_by_its_number_and_only_where_it_applies():
    before = counter("duplicates_total", source="a-test")

    log.emit("objects_skipped", source="a-test", reason="already-delivered", objects=4)
    log.emit("objects_skipped", source="a-test", reason="digest", objects=2)

    assert counter("duplicates_total", source="a-test") == before + 4


def test_an_event_below_the_level_is_still_counted(capsys):
    log.configure("json", "error")
    before = counter("messages_received_total", source="a-test")

    log.emit("messages_received", source="a-test", messages=10)

    assert capsys.readouterr().err == ""
    assert counter("messages_received_total", source="a-test") == before + 10


def test_one_cause_is_written_ten_times_and_counted_each_time(capsys):
    log.configure("json", "info")
    before = counter("queue_failures_total", source="a-test", error="network")

    for _ in range(LINES + 20):
        log.emit("queue_failed", source="a-test", error="network", detail="no route")
    log.emit("queue_failed", source="a-test", error="throttled", detail="slow down")

    lines = [json.loads(line)["error"] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["network"] * LINES + ["throttled"]
    after = counter("queue_failures_total", source="a-test", error="network")
    assert after == before + LINES + 20


def test_the_outcome_of_an_object_is_always_written(capsys):
    log.configure("json", "info")

    for number in range(LINES * 3):
        log.emit("object_refused", source="a-test", object=f"s3://a/{number}", reason="cut")

    assert len(capsys.readouterr().err.splitlines()) == LINES * 3


def calls():
    """The first argument of every call of ``log.emit``, in all of the program."""
    for package in ("trailcourier", "tasks", "beat"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                named = isinstance(node, ast.Call) and ast.unparse(node.func) == "log.emit"
                if named:
                    yield path, node.args[0]


def test_every_event_emitted_by_a_literal_name_is_in_the_table():
    plain = {node.value for _, node in calls() if isinstance(node, ast.Constant)}

    assert plain
    assert plain <= EVENTS.keys()


def test_every_event_of_the_table_is_emitted_somewhere():
    emitted = {ast.unparse(node) for _, node in calls()}
    text = "".join(
        path.read_text() for path in (ROOT / "trailcourier").rglob("*.py") if path.stem != "events"
    )
    statuses = ("delivered", "skipped", "parked", "refused", "pending")
    made = {f"object_{status}" for status in statuses}

    unused = {name for name in EVENTS if repr(name) not in emitted and f'"{name}"' not in text}

    assert unused - made == set()
