"""``trailcourier filter test``: files, filters and errors; docs/filters.md shows the results."""

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from trailcourier import cli, wiring
from trailcourier.cli.exits import Exit

READ = {
    "eventTime": "2026-05-04T10:00:01Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "DescribeInstances",
    "eventID": "e-1",
    "userIdentity": {"type": "AWSService"},
    "readOnly": True,
    "managementEvent": True,
}
WRITE = READ | {"readOnly": False, "eventName": "RunInstances", "eventID": "e-2"}
LOG = json.dumps({"Records": [READ, WRITE, READ]}).encode()
SOURCE = """
[sources.{name}]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/{name}"
sinks = ["archive"]
{rules}
"""
PROD = SOURCE.format(name="prod", rules='filter.drop = [{ name = "runs", eventName = "Run*" }]')
DEV = SOURCE.format(name="dev", rules="unfiltered = true")
# its secret is not there, and is not needed
SINK = '[sinks.archive]\ntype = "insightidr"\nway = "webhook"\nurl = "env:NOT_SET"\n'


@pytest.fixture
def try_filter(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*options, log=LOG, configuration="", file="log.json"):
        Path("log.json").write_bytes(log)
        if configuration:
            Path("trailcourier.toml").write_text(configuration + SINK)
        code = cli.execute(["filter", "test", file, *options])
        return code, *capsys.readouterr()

    yield call
    wiring.forget()


def test_without_a_configuration_the_default_filter_is_tried(try_filter):
    code, out, err = try_filter()

    assert (code, err) == (Exit.DONE, "")
    assert out.splitlines()[:2] == [
        "log.json, the default filter: 3 records, 1 pass, 2 dropped",
        "  aws-service-reads  2 dropped",
    ]
    assert "DescribeInstances  e-1" in out
    assert "RunInstances" not in out


@pytest.mark.parametrize(
    ("log", "file"),
    [(LOG, "log.json"), (gzip.compress(LOG), "log.json"), (gzip.compress(LOG), "-")],
)
def test_a_file_may_be_gzip_and_come_from_standard_input(try_filter, monkeypatch, log, file):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(log)))

    code, out, _ = try_filter(log=log, file=file)

    name = "standard input" if file == "-" else file
    assert code == Exit.DONE
    assert out.startswith(f"{name}, the default filter: 3 records, 1 pass, 2 dropped\n")


def test_the_only_source_has_its_filter_tried_and_needs_no_secret_of_a_sink(try_filter):
    code, out, _ = try_filter(configuration=PROD)

    assert code == Exit.DONE
    assert out.splitlines()[:2] == [
        "log.json, the filter of prod: 3 records, 2 pass, 1 dropped",
        "  runs  1 dropped",
    ]


def test_of_several_sources_one_is_to_be_named(try_filter):
    several = try_filter(configuration=PROD + DEV)
    named = try_filter("--source", "dev")
    unknown = try_filter("--source", "dve")

    assert several[0] == Exit.USAGE
    assert "there are several sources: name one of prod, dev with --source" in several[2]
    assert named[1] == (
        "log.json, the filter of dev: 3 records, 3 pass, 0 dropped\n  the source is unfiltered\n"
    )
    assert unknown[0] == Exit.CONFIG
    assert "there is no source 'dve'; configured: prod, dev" in unknown[2]


def test_a_source_needs_a_configuration(try_filter):
    code, out, err = try_filter("--source", "prod")

    assert (code, out) == (Exit.CONFIG, "")
    assert "no configuration: looked for" in err


def test_the_json_has_the_same_and_lists_what_is_asked_for(try_filter):
    dropped = json.loads(try_filter("--json")[1])
    both = json.loads(try_filter("--json", "--passed", "--limit", "1")[1])

    shown = {name: READ[name] for name in ("eventTime", "eventSource", "eventName", "eventID")}
    assert (dropped["source"], dropped["records"], dropped["passed"]) == ("", 3, 1)
    assert (dropped["dropped"], dropped["rules"]) == (2, {"aws-service-reads": 2})
    assert dropped["dropped_records"] == [{"rule": "aws-service-reads"} | shown] * 2
    assert dropped["passed_records"] == []
    assert len(both["dropped_records"]) == 1
    assert [each["eventID"] for each in both["passed_records"]] == ["e-2"]


def test_the_lists_are_bounded_and_say_what_is_left_out(try_filter):
    log = json.dumps({"Records": [READ] * 30}).encode()
    _, default, _ = try_filter(log=log)
    _, none, _ = try_filter("--limit", "0", log=log)

    assert default.count("e-1") == 20
    assert default.splitlines()[-1] == "... and 10 more dropped; --limit lists them"
    assert none.count("e-1") == 0
    assert "... and 30 more dropped" in none


def test_fields_of_other_types_and_with_control_characters_are_harmless(try_filter):
    log = rb'{"Records":[{"eventTime":5,"eventName":"a\u001b[31m","eventID":[]},{"a":"\ud800"}]}'

    code, out, _ = try_filter("--passed", log=log)

    assert code == Exit.DONE
    assert "passes   -          -            a\\x1b[31m  -" in out
    assert out.endswith("\npasses   -          -            -          -\n")


@pytest.mark.parametrize(
    ("log", "words", "fix"),
    [
        (gzip.compress(LOG)[:-9], "(corrupt)", "Copy the file from S3 again."),
        (b"not a log", "(unparseable)", "Name a log file as CloudTrail writes it"),
        (b"", "the object is empty (unparseable)", "Name a log file as CloudTrail writes it"),
        (
            LOG + b" " * 2**20,
            "more than 1048576 bytes as stored (too-large)",
            "raise `max_compressed_mib`",
        ),
    ],
)
def test_a_file_that_a_worker_would_refuse_is_an_error_with_a_fix(try_filter, log, words, fix):
    small = SOURCE.format(name="prod", rules="max_compressed_mib = 1")

    code, out, err = try_filter("--json", log=log, configuration=small)

    assert (code, out) == (Exit.NO, "")
    what, to_do = err.splitlines()
    assert what.startswith("trailcourier: log.json: ")
    assert words in what
    assert fix in to_do


@pytest.mark.parametrize(
    ("file", "why"), [("gone.json", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_opened_is_a_wrong_command_line(try_filter, file, why):
    code, _, err = try_filter(file=file)

    assert code == Exit.USAGE
    assert f"{file} cannot be read: {why}" in err
