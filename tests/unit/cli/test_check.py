import json
from pathlib import Path

import pytest

from trailcourier import cli, filters
from trailcourier.cli.exits import Exit

HUNTER = "hunter2-correct-horse"
GOOD = """
[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
bucket_region = "EU_IRELAND"
buckets = ["acme-cloudtrail", "acme-audit"]
sinks = ["siem", "archive"]
[sources.prod.credentials]
kind = "assume-role"
role_arn = "arn:aws:iam::111122223333:role/trailcourier"
external_id = "env:EXTERNAL_ID"
[sinks.siem]
type = "stdout"
[sinks.archive]
type = "file"
path = "events"
"""
BAD = """
[broker]
url = "redis://:hunter2-correct-horse@h/0?cluster=1"
[sources.a]
queue_url = "http://127.0.0.1:5000/111122223333/q"
queue_region = "us-east-1"
sinks = ["nowhere"]
unfiltered = true
[[sources.a.filter.drop]]
eventName = "Decrypt"
[sources.b]
queue_url = "http://127.0.0.1:5000/111122223333/q"
queue_region = "US_STANDARD"
sinks = []
"""


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXTERNAL_ID", HUNTER)

    def check(text, *options):
        Path("trailcourier.toml").write_text(text)
        code = cli.execute(["check", *options])
        out, err = capsys.readouterr()
        assert err == ""
        assert HUNTER not in out
        return code, out

    return check


def test_a_good_configuration_is_summarised(check):
    code, out = check(GOOD)

    assert code == Exit.DONE
    assert out == (
        "prod: queue cloudtrail in us-east-1, account 111122223333, as "
        "arn:aws:iam::111122223333:role/trailcourier; reads acme-cloudtrail, acme-audit in "
        f"eu-west-1; {filters.describe(filters.DEFAULT_RULE)}; sends to siem, archive\n"
        "Nothing is wrong.\n"
    )


def test_all_problems_are_printed_at_once(check):
    code, out = check(BAD)

    assert code == Exit.CONFIG
    *problems, count = out.splitlines()
    assert [line.split(": ")[1] for line in problems] == [
        "broker.url",
        "sources.a.filter",
        "sources.b.sinks",
        "sources.b.queue_url",
        "sources.a.sinks",
    ]
    assert count == "5 problems."


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (GOOD.replace("buckets", "#"), "1 warning."),
        (GOOD.replace("buckets", "#").replace('["siem", "archive"]', '["siem"]'), "2 warnings."),
    ],
)
def test_with_warnings_the_last_line_counts_them(check, text, count):
    code, out = check(text)

    assert (code, out.splitlines()[-1]) == (Exit.DONE, count)


def test_warnings_are_printed_and_exit_0(check):
    code, out = check(GOOD.replace("buckets", "#").replace('["siem", "archive"]', '["siem"]'))

    assert code == Exit.DONE
    assert "warning: trailcourier.toml: sources.prod.buckets: not set" in out
    assert "warning: trailcourier.toml: sinks.archive: no source uses it" in out
    assert "reads any bucket in eu-west-1" in out


def test_the_json_has_the_same(check):
    good, bad = check(GOOD, "--json"), check(BAD, "--json")

    assert (good[0], bad[0]) == (Exit.DONE, Exit.CONFIG)
    assert json.loads(good[1]) == {
        "problems": [],
        "warnings": [],
        "sources": {
            "prod": {
                "queue": "cloudtrail",
                "region": "us-east-1",
                "account": "111122223333",
                "credentials": "arn:aws:iam::111122223333:role/trailcourier",
                "bucket_credentials": {},
                "buckets": ["acme-cloudtrail", "acme-audit"],
                "bucket_region": "eu-west-1",
                "drops": filters.describe(filters.DEFAULT_RULE),
                "sinks": ["siem", "archive"],
            }
        },
    }
    assert len(json.loads(bad[1])["problems"]) == 5


def test_an_unfiltered_source_is_shown_to_drop_nothing(check):
    _, out = check(GOOD.replace("[sources.prod.cred", "unfiltered = true\n[sources.prod.cred"))

    assert "; drops nothing; " in out


def test_no_configuration_is_a_problem(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert cli.execute(["check"]) == Exit.CONFIG
    output = capsys.readouterr().out
    assert output.startswith("no configuration: looked for TRAILCOURIER_CONFIG")
    assert "`trailcourier setup apply --write FILE` does" in output
