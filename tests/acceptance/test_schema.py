"""``trailcourier config schema``, by a validator, on every configuration that the pages show."""

import json
import re
import textwrap
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from trailcourier import cli
from trailcourier.settings import Settings
from trailcourier.settings.json_schema import json_schema
from trailcourier.settings.shape import Configuration

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^( *)```toml\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FURTHER = re.compile(r"^# (?=\[|\w+ = )", re.MULTILINE)  # a setting that is commented out
SOURCE = '[sources.prod]\nqueue_url = "https://x"\nsinks = ["out"]\n'
SINK = '[sinks.out]\ntype = "stdout"\n'


def shown():
    """Every TOML of README and the pages, also parts, and every file of deploy/."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for number, (_, text) in enumerate(FENCED.findall(page.read_text()), 1):
            name = f"{page.relative_to(ROOT)} {number}"
            yield pytest.param(textwrap.dedent(text), id=name)
    for file in sorted((ROOT / "deploy").rglob("*.toml")):
        text, name = file.read_text(), str(file.relative_to(ROOT))
        yield pytest.param(text, id=name)
        yield pytest.param(FURTHER.sub("", text), id=f"{name}, all of it")


@pytest.fixture(scope="module")
def schema():
    return json_schema()


@pytest.fixture(scope="module")
def problems(schema):
    """Return the paths and messages of what is wrong with a TOML text."""
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    return lambda text: [
        (error.json_path, error.message) for error in validator.iter_errors(tomllib.loads(text))
    ]


def test_the_command_prints_it_without_a_configuration(schema, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert cli.execute(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema


def missing(problem):
    """Whether a part of a configuration only leaves out what is in its other part."""
    return problem[1].endswith("is a required property")


@pytest.mark.parametrize("text", [*shown()])
def test_what_a_page_shows_is_valid(problems, text):
    text = text if "[" in text else SOURCE + text

    found = problems(text)

    whole = "queue_url" in text and "[sinks." in text
    assert [each for each in found if whole or not missing(each)] == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (SOURCE + SINK + "[workers]\nproceses = 1", "$.workers"),
        (SOURCE + SINK + "[workers]\nthreads = 0", "$.workers.threads"),
        (SOURCE + SINK + "[broker]\nurl = 'redis://:secret@h/0'", "$.broker.url"),
        (SOURCE + SINK + "[network]\nno_proxy = ''", "$"),
        (SOURCE + "keyz = []\n" + SINK, "$.sources.prod"),
        (SOURCE + "credentials.kind = 'role'\n" + SINK, "$.sources.prod.credentials.kind"),
        (
            SOURCE + "credentials.access_key_id = 'AKIA'\n",
            "$.sources.prod.credentials.access_key_id",
        ),
        (
            SOURCE + "filter.drop = [{eventName = {nto = ['a']}}]",
            "$.sources.prod.filter.drop[0].eventName",
        ),
        (SOURCE + "filter.drop = [{name = 'a b', x = 1}]", "$.sources.prod.filter.drop[0].name"),
        ("[sources.Prod]\nqueue_url = 'https://x'\nsinks = ['out']\n" + SINK, "$.sources"),
        (SOURCE + SINK.replace("stdout", "kafka"), "$.sinks.out"),
        (SOURCE.replace("queue_url", "# "), "$.sources.prod"),
    ],
)
def test_a_mistake_is_found_where_it_is(problems, text, path):
    assert [where for where, _ in problems(text)] == [path]


@pytest.mark.parametrize(
    "text",
    [
        SOURCE + SINK,
        SOURCE + SINK + "[broker]\nurl = 'redis://h:6379/0'",
        SOURCE + SINK + "[broker]\nurl = 'file:/run/secrets/broker'",
        SOURCE + "filter.keep = [{a = 1}, {a = {not = ['b', 2]}}, {a = {present = true}}]\n" + SINK,
        SOURCE + '[sinks.out]\ntype = "insightidr"\nway = "collector"\nhost = "h"\nport = 1\n',
    ],
)
def test_what_is_right_is_valid(problems, text):
    assert problems(text) == []


def test_it_has_the_tables_of_the_file_and_nothing_of_the_environment(schema):
    own = set(Settings.model_fields) - set(Configuration.model_fields)

    assert own == {"path", "network", "fail_point"}
    assert set(schema["properties"]) == set(Configuration.model_fields)
    assert schema["additionalProperties"] is False
    assert not own & set(schema["properties"])


def test_it_describes_the_keys_as_the_settings_page_does(schema):
    page = (ROOT / "docs/settings.md").read_text()
    keys = schema["$defs"]["Source"]["properties"]

    assert keys["pollers"]["description"] in page
    assert keys["pollers"]["default"] == 1
    assert [
        name for name, each in keys.items() if "default" in each and each["default"] is None
    ] == []
    assert "``" not in json.dumps(schema)
