"""docs/filters.md: each example does what the page shows, by ``filter test``."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from trailcourier import cli, settings, wiring
from trailcourier.filters import DEFAULT_RULE, FilterRules, compile_rules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/filters.md").read_text()
SOURCE = """
[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/trailcourier"
buckets = ["acme-cloudtrail"]
sinks = ["archive"]
"""
SINK = """
[sinks.archive]
type = "file"
path = "events"
"""
(EVENTS,) = re.findall(r"(?ms)^```json\n(.*?)^```$", PAGE)
EXAMPLES = re.findall(
    r"(?ms)^### ([^\n]+)\n(?:(?!^#).)*?^```toml\n(.*?)^```\n\n```text\n\$ trailcourier (.*?)\n"
    r"(.*?)^```$",
    PAGE,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("events.json").write_text(EVENTS)
    yield tmp_path
    wiring.forget()


def test_each_example_has_rules_and_a_result():
    assert len(EXAMPLES) >= 8
    assert len(EXAMPLES) == PAGE.count("\n### ") == PAGE.count("$ trailcourier filter test")


@pytest.mark.parametrize(
    ("rules", "command", "shown"), [pytest.param(*rest, id=title) for title, *rest in EXAMPLES]
)
def test_an_example_does_what_the_page_shows(rules, command, shown, folder, capsys):
    Path("trailcourier.toml").write_text(SOURCE + rules + SINK)

    code = cli.execute(shlex.split(command))

    assert (code, capsys.readouterr()) == (0, (shown, ""))


def test_the_default_rule_is_on_the_page():
    (told,) = re.findall(r"(?ms)^## The default rule\n.*?^```toml\n(.*?)^```$", PAGE)
    rules = tomllib.loads(told)["sources"]["prod"]["filter"]

    assert FilterRules.model_validate(rules) == DEFAULT_RULE


def test_a_variable_takes_rules_as_the_page_says(folder):
    ((name, value),) = re.findall(r"(?m)`(TRAILCOURIER_\w+FILTER\w+)='(.*?)'`", PAGE)
    Path("trailcourier.toml").write_text(SOURCE + SINK)

    found = settings.load(env={name: value})

    assert [str(rule) for rule in found.sources["prod"].filter.drop] == ["eventName is Decrypt"]


VALUES = {"missing": {}, "null": {"f": None}, "object": {"f": {"a": 1}}, "list": {"f": [1]}}
CONDITIONS = {
    '`"text"`': "text",
    "`true`": True,
    "`5`": 5,
    "`[": ["a", "b*"],
    "`{ not": {"not": ["a", "b*"]},
    "`{ present = true": {"present": True},
    "`{ present = false": {"present": False},
}


@pytest.mark.parametrize("operator", CONDITIONS)
def test_what_an_operator_does_without_a_value_is_in_the_table(operator):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {operator}")]
    *_, missing, containers, _ = (cell.strip() for cell in row.split("|"))
    rules = FilterRules.model_validate({"drop": [{"f": CONDITIONS[operator]}]})
    decide = compile_rules(rules)

    matches = {
        name: decide([json.dumps(record).encode()]) != [None] for name, record in VALUES.items()
    }

    assert matches == {
        "missing": missing == "match",
        "null": missing == "match",
        "object": containers == "match",
        "list": containers == "match",
    }


@pytest.mark.parametrize("page", ["README.md", "docs/settings.md", "docs/getting-started.md"])
def test_the_page_is_linked(page):
    assert "filters.md)" in (ROOT / page).read_text()
