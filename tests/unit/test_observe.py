"""Facts: one line each, escaped, from their level on, on standard error."""

import ast
import io
import json
import logging
from pathlib import Path

import pytest
import structlog

from trailcourier import metrics, observe
from trailcourier.facts import FACTS
from trailcourier.repeats import LINES

ROOT = Path(__file__).parents[2]
HUNTER = "hunter2-correct-horse"
ESCAPE = "s3://acme-logs/\x1b]0;owned\x07\n{}\x9b2J\u202e.gz"


class Terminal(io.StringIO):
    """Standard error, as a person sees it."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def as_it_was():
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_a_fact_is_one_line_of_json_on_standard_error(capsys):
    observe.configure("json", "info")

    observe.fact("breaker_opened", source="prod", why="no room")

    out, err = capsys.readouterr()
    assert out == ""
    told = json.loads(err)
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "event": "breaker_opened", "level": "error", "source": "prod", "why": "no room",
    }  # fmt: skip
    assert err.count("\n") == 1


def test_a_fact_without_a_name_of_ours_is_an_error():
    with pytest.raises(KeyError):
        observe.fact("nobody_knows")


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["poll_held_up", "filter_in_force", "degraded", "bug"]),
        ("info", ["filter_in_force", "degraded", "bug"]),
        ("warning", ["degraded", "bug"]),
        ("error", ["bug"]),
    ],
)
def test_what_is_below_the_level_is_not_written(capsys, level, said):
    observe.configure("json", level)

    for event in ("poll_held_up", "filter_in_force", "degraded", "bug"):
        observe.fact(event)

    written = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in written] == said


@pytest.mark.parametrize("style", ["json", "console"])
def test_text_from_outside_stays_on_its_line_and_off_the_terminal(capsys, style):
    observe.configure(style, "info")

    observe.fact("object_refused", object=ESCAPE, detail=[ESCAPE])

    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.removesuffix("\n").isprintable()
    assert "owned" in err


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_shows_no_values_and_no_escapes(capsys, style):
    observe.configure(style, "info")

    def fail(password):
        raise ValueError(f"about {ESCAPE}, not said to {len(password)}")

    try:
        fail(HUNTER)
    except ValueError:
        observe.fact("bug", exc_info=True)

    err = capsys.readouterr().err
    assert "ValueError: about s3://acme-logs/" in err
    assert HUNTER not in err
    assert err.replace("\n", "").isprintable()


def test_a_person_reads_words_and_a_program_json(monkeypatch, capsys):
    observe.configure("auto", "info")
    observe.fact("filter_in_force")
    piped = capsys.readouterr().err
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    observe.configure("auto", "info")
    observe.fact("filter_in_force")

    assert json.loads(piped)["event"] == "filter_in_force"
    assert "\x1b[" in terminal.getvalue()  # colours
    assert "{" not in terminal.getvalue()


def test_lines_of_libraries_look_the_same(capsys):
    observe.configure("json", "info")
    observe.adopt("json", logging.INFO)

    logging.getLogger("celery.worker").warning("lost %s", ESCAPE)
    logging.getLogger("celery.worker").debug("not said")

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"]) == ("warning", "celery.worker")
    assert told["event"] == f"lost {ESCAPE}"


def test_lines_of_libraries_are_escaped_for_people_too(capsys):
    observe.adopt("console", logging.INFO)

    logging.getLogger("celery.worker").warning("lost %s", ESCAPE)

    err = capsys.readouterr().err
    assert err.removesuffix("\n").isprintable()


def test_standard_error_is_what_it_is_at_the_time(monkeypatch, capsys):
    observe.configure("json", "info")
    later = io.StringIO()
    monkeypatch.setattr("sys.stderr", later)

    observe.fact("filter_in_force")

    assert json.loads(later.getvalue())["event"] == "filter_in_force"
    assert capsys.readouterr().err == ""


def counter(name, **labels):
    """What the counter stands at."""
    return metrics._bound(name, tuple(labels.items()))._value.get()


def test_a_fact_is_counted_with_its_line():
    labels = {"source": "a-test", "disposition": "delivered", "reason": ""}
    before = counter("objects_total", **labels)

    observe.fact("object_delivered", source="a-test", object="s3://a/b", records=3)

    assert counter("objects_total", **labels) == before + 1


def test_a_fact_counts_by_the_number_it_carries_and_only_where_it_applies():
    before = counter("duplicates_total", source="a-test")

    observe.fact("objects_skipped", source="a-test", reason="already-delivered", objects=4)
    observe.fact("objects_skipped", source="a-test", reason="digest", objects=2)

    assert counter("duplicates_total", source="a-test") == before + 4


def test_what_is_below_the_level_is_counted_all_the_same(capsys):
    observe.configure("json", "error")
    before = counter("messages_received_total", source="a-test")

    observe.fact("messages_received", source="a-test", messages=10)

    assert capsys.readouterr().err == ""
    assert counter("messages_received_total", source="a-test") == before + 10


def test_one_cause_is_written_a_few_times_and_counted_each_time(capsys):
    observe.configure("json", "info")
    before = counter("queue_failures_total", source="a-test", error="network")

    for _ in range(LINES + 20):
        observe.fact("queue_failed", source="a-test", error="network", detail="no route")
    observe.fact("queue_failed", source="a-test", error="throttled", detail="slow down")

    lines = [json.loads(line)["error"] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["network"] * LINES + ["throttled"]
    after = counter("queue_failures_total", source="a-test", error="network")
    assert after == before + LINES + 20


def test_what_became_of_an_object_is_always_written(capsys):
    observe.configure("json", "info")

    for number in range(LINES * 3):
        observe.fact("object_refused", source="a-test", object=f"s3://a/{number}", reason="cut")

    assert len(capsys.readouterr().err.splitlines()) == LINES * 3


def calls():
    """The first argument of every call of ``fact``, in all of the program."""
    for package in ("trailcourier", "tasks", "beat"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                named = isinstance(node, ast.Call) and ast.unparse(node.func) == "observe.fact"
                if named:
                    yield path, node.args[0]


def test_every_fact_that_is_said_by_a_plain_name_is_in_the_table():
    plain = {node.value for _, node in calls() if isinstance(node, ast.Constant)}

    assert plain
    assert plain <= FACTS.keys()


def test_every_fact_of_the_table_is_said_somewhere():
    said = {ast.unparse(node) for _, node in calls()}
    text = "".join(
        path.read_text() for path in (ROOT / "trailcourier").rglob("*.py") if path.stem != "facts"
    )
    statuses = ("delivered", "skipped", "parked", "refused", "pending")
    made = {f"object_{status}" for status in statuses}

    unsaid = {name for name in FACTS if repr(name) not in said and f'"{name}"' not in text}

    assert unsaid - made == set()
