"""What ``trailcourier doctor`` prints, and its exit status; the findings are made up here."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from trailcourier import doctor
from trailcourier.cli.exits import Exit
from trailcourier.doctor import Finding

GOOD = Finding("ok", "TC201", "arn:aws:iam::111122223333:user/collector")
UNSEEN = Finding("not-checked", "TC306", "not seen", "Add a statement.")
WARNING = Finding("warning", "TC308", "no dead-letter queue", "Make one.")
WRONG = Finding("error", "TC303", "may not receive\x1b[31m", "Add\nanother.")


@pytest.fixture
def finding(call, monkeypatch):
    """Have the only check find this of every source."""

    def finding(*found):
        subjects = []

        def look(subject):
            subjects.append(subject)
            yield from found

        monkeypatch.setattr(doctor, "CHECKS", (look,))
        return subjects

    return finding


def test_findings_are_printed_below_their_source_with_the_fix_and_the_sum(call, finding):
    finding(GOOD, UNSEEN, WARNING, WRONG)

    result = call("doctor", "--source", "prod")

    assert result == (
        Exit.NO,
        (
            "prod\n"
            "  ok           TC201  arn:aws:iam::111122223333:user/collector\n"
            "  not checked  TC306  not seen\n"
            "                      Add a statement.\n"
            "  warning      TC308  no dead-letter queue\n"
            "                      Make one.\n"
            "  error        TC303  may not receive\\x1b[31m\n"
            "                      Add\\nanother.\n"
            "1 error; begin with TC303 (docs/doctor.md explains each id).\n"
        ),
        "",
    )


def test_without_an_error_the_exit_is_0_and_findings_not_checked_are_counted(call, finding):
    finding(GOOD, UNSEEN, WARNING)

    result = call("doctor", "--source", "prod")

    assert result.code == Exit.DONE
    assert result.out.endswith("No errors; 1 warning; 1 not checked.\n")


def test_findings_are_printed_as_json(call, finding):
    finding(GOOD, UNSEEN, WARNING, WRONG)

    result = call("doctor", "--source", "prod", "--json")

    assert result.code == Exit.NO
    output = json.loads(result.out)
    assert output.pop("findings")[3] == {
        "source": "prod", "level": "error", "id": "TC303",
        "text": "may not receive\x1b[31m", "fix": "Add\nanother.",
    }  # fmt: skip
    assert output == {"first": "TC303", "errors": 1, "warnings": 1, "not_checked": 1, "ok": 1}


def test_a_finding_that_two_sources_share_is_reported_once(call, finding):
    finding(GOOD)

    output = json.loads(call("doctor", "--json").out)

    assert [each["source"] for each in output["findings"]] == ["prod"]


def test_a_configuration_that_is_wrong_is_found_first_and_alone(call, config, finding):
    finding(GOOD)

    result = call("doctor", "--json", configuration=config.replace("trail-dev", "trail.fifo"))

    output = json.loads(result.out)
    assert (result.code, output["first"]) == (Exit.NO, "TC001")
    (problem,) = output["findings"]
    assert problem["text"].startswith("trailcourier.toml: sources.dev.queue_url: is a FIFO queue")


def test_an_unknown_source_is_reported_with_the_configured_ones(call, finding):
    result = call("doctor", "--source", "stage")

    assert result.code == Exit.CONFIG
    assert result.err == "trailcourier: there is no source 'stage'; configured: prod, dev\n"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-24T10:00Z", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("", None),
    ],
)
def test_since_is_a_time(call, finding, text, meant):
    subjects = finding(GOOD)

    call("doctor", "--since", text)

    assert subjects[0].shared.since == meant


@pytest.mark.parametrize(
    ("text", "ago"),
    [("36h", timedelta(hours=36)), ("90m", timedelta(minutes=90)), ("7d", timedelta(days=7))],
)
def test_since_accepts_how_long_ago(call, finding, text, ago):
    subjects = finding(GOOD)

    before = datetime.now(UTC)
    call("doctor", "--since", text)

    assert before <= subjects[0].shared.since + ago <= datetime.now(UTC)


def test_an_invalid_since_is_reported_with_examples(call, finding):
    result = call("doctor", "--since", "yesterday")

    assert result.code == Exit.USAGE
    assert "give a time as 2026-11-24T10:00Z, or how long ago as 36h" in result.err
