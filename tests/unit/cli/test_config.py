"""``trailcourier config show``: every value, its origin, and no secret."""

import json
import tomllib
from pathlib import Path

import pytest

from trailcourier import cli, settings
from trailcourier.cli.exits import Exit

HUNTER = "hunter2-correct-horse"
CONFIG = r"""
[broker]
url = "env:BROKER"
[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
bucket_region = "EU_IRELAND"
sinks = ["siem", "archive"]
[sources.prod.filter]
drop = [
  { name = "lists", eventName = ["List*", "a\"\\\u0007b"], errorCode = { present = false } },
  { "userIdentity.type" = { not = ["Root", "é"] }, readOnly = true, n = 1.5 },
]
[sources.prod.credentials]
kind = "assume-role"
role_arn = "arn:aws:iam::111122223333:role/trailcourier"
external_id = "file:SECRET_FILE"
[sources.prod.bucket_credentials."acme.eu-*"]
kind = "default"
[sources.dev]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/dev"
unfiltered = true
sinks = ["archive"]
[sinks.siem]
type = "insightidr"
way = "webhook"
url = "env:WEBHOOK"
[sinks.archive]
type = "file"
path = "events"
"""
MASKED = "redis://user:***@broker.example:6380/2"
ENVIRONMENT = {
    "BROKER": f"redis://user:{HUNTER}@broker.example:6380/2",
    "WEBHOOK": f"https://example.com/{HUNTER}",
    "TRAILCOURIER_LOG_LEVEL": "debug",
    "TRAILCOURIER_SOURCES__PROD__BUCKETS": "a,b",
    "TRAILCOURIER_SOURCES__PROD__CREDENTIALS": '{"session_name": "me"}',
    "XDG_STATE_HOME": "/state",
    "HTTPS_PROXY": f"user:{HUNTER}@proxy.example:3128",
    "no_proxy": "a.example",
}


@pytest.fixture
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_CA_BUNDLE", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    Path("secret").write_text(HUNTER)
    return monkeypatch


@pytest.fixture
def show(environment, tmp_path, capsys):
    def call(*options, text=CONFIG):
        Path("trailcourier.toml").write_text(text.replace("SECRET_FILE", f"{tmp_path}/secret"))
        code = cli.execute(["config", "show", *options])
        out, err = capsys.readouterr()
        assert HUNTER not in out + err
        return code, out, err

    return call


def line(out, start):
    (found,) = [each for each in out.splitlines() if each.startswith(start)]
    return found


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        ("namespace", '= "trailcourier"  # default'),
        ("log_level", '= "debug"  # variable TRAILCOURIER_LOG_LEVEL'),
        ("state_dir", '= "/state/trailcourier"  # variable XDG_STATE_HOME'),
        ("bucket_region", '= "eu-west-1"  # trailcourier.toml'),
        ("role_arn", '= "arn:aws:iam::111122223333:role/trailcourier"  # trailcourier.toml'),
        ("session_name", '= "me"  # variable TRAILCOURIER_SOURCES__PROD__CREDENTIALS'),
        ('url = "env:B', f'ROKER"  # trailcourier.toml; secret in the variable BROKER: {MASKED}'),
        ('url = "env:W', 'EBHOOK"  # trailcourier.toml; secret in the variable WEBHOOK'),
        ("# HTTPS_PROXY", "= http://user:***@proxy.example:3128"),
        ("# no_proxy", "= a.example"),
    ],
)
def test_a_value_comes_with_what_sets_it(show, start, rest):
    code, out, err = show()

    assert (code, err) == (Exit.DONE, "")
    assert line(out, start) == (f"{start} {rest}" if rest[0] == "=" else start + rest)


def test_a_secret_of_a_file_is_named_with_its_file(show, tmp_path):
    _, out, _ = show()

    assert line(out, "external_id") == (
        f'external_id = "file:{tmp_path}/secret"  # trailcourier.toml; secret in the file '
        f"{tmp_path}/secret"
    )


def test_what_is_shown_loads_to_the_same_configuration(show, environment):
    _, out, _ = show()
    before = settings.load()
    for name in ENVIRONMENT:
        if name.startswith(("TRAILCOURIER_", "XDG_")):
            environment.delenv(name)

    Path("again.toml").write_text(out)
    after = settings.load(Path("again.toml"))

    assert after.model_copy(update={"path": before.path}) == before


def test_the_json_has_every_key_that_the_toml_has(show):
    _, out, _ = show()
    code, text, _ = show("--json")
    found = json.loads(text)

    def leaves(tree, path=()):
        for name, value in tree.items():
            if isinstance(value, dict):
                yield from leaves(value, (*path, name))
            else:
                yield [*path, name], value

    assert (code, found["problems"], found["file"]) == (Exit.DONE, [], "trailcourier.toml")
    assert [(x["path"], x["value"]) for x in sorted(found["values"], key=lambda x: x["path"])] == (
        sorted(leaves(tomllib.loads(out)), key=lambda x: x[0])
    )
    (region,) = [x for x in found["values"] if x["key"] == "sources.prod.bucket_region"]
    assert (region["origin"], region["set_by"]) == ("file", "trailcourier.toml")
    assert found["environment"] == {
        "HTTPS_PROXY": "http://user:***@proxy.example:3128",
        "no_proxy": "a.example",
    }


def test_an_invalid_configuration_is_refused_with_every_problem(show):
    text = CONFIG.replace('path = "events"', "pat = 1").replace("EU_IRELAND", "EU_ICELAND")

    code, out, err = show(text=text)
    json_code, json_out, _ = show("--json", text=text)

    problems = json.loads(json_out)["problems"]
    assert (code, json_code, out) == (Exit.CONFIG, Exit.CONFIG, "")
    assert len(problems) == 3
    assert err.splitlines() == [f"trailcourier: {each}" for each in problems]


def test_a_password_that_looks_like_a_path_is_not_shown(show, environment):
    environment.setenv("BROKER", f"redis://:12/{HUNTER}@broker.example:6380/2")

    _, out, _ = show()

    assert line(out, 'url = "env:B').endswith("BROKER: the configured URL")


def test_without_a_file_every_value_is_from_variables_and_defaults(environment, capsys):
    environment.setenv(
        "TRAILCOURIER_SOURCES__A__QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/q"
    )
    environment.setenv("TRAILCOURIER_SOURCES__A__SINKS", "out")
    environment.setenv("TRAILCOURIER_SINKS__OUT__TYPE", "stdout")
    environment.delenv("TRAILCOURIER_SOURCES__PROD__BUCKETS")
    environment.delenv("TRAILCOURIER_SOURCES__PROD__CREDENTIALS")

    assert cli.execute(["config", "show"]) == Exit.DONE

    out = capsys.readouterr().out
    assert line(out, "type") == 'type = "stdout"  # variable TRAILCOURIER_SINKS__OUT__TYPE'


def test_a_public_url_of_the_broker_is_shown(show):
    _, out, _ = show(text=CONFIG.replace("env:BROKER", "redis://h:1/0"))

    assert line(out, 'url = "redis') == 'url = "redis://h:1/0"  # trailcourier.toml'
