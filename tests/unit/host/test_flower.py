"""The logins and columns of Flower; integration tests run a real one."""

from types import SimpleNamespace

import pytest

from trailcourier.errors import ConfigError
from trailcourier.host import flower
from trailcourier.settings import Settings

URL = "s3://acme-cloudtrail/AWSLogs/1_CloudTrail_eu-west-1_20261123T0650Z_AbCd.json.gz"


def settings(credentials=None):
    return Settings.model_validate({"flower": {"credentials": credentials}})


def task(name="forward", args=f"prod {URL}", result="'delivered'"):
    fields = ("uuid", "name", "clock", "root_id", "parent_id")
    return SimpleNamespace(
        name=f"trailcourier.{name}", args=args, result=result, state="SUCCESS", _fields=fields
    )


def test_logins_come_from_the_options_of_flower():
    found = flower.logins(settings("env:LOGINS"), ["a:b", "c:d"], {"LOGINS": "e:f"})

    assert found == ["a:b", "c:d"]


def test_logins_else_come_from_the_lines_of_the_configured_file(tmp_path):
    (tmp_path / "logins").write_text("a:b, c\n\nd:e:f\n")

    assert flower.logins(settings(f"file:{tmp_path}/logins")) == ["a:b, c", "d:e:f"]
    assert flower.logins(settings("env:LOGINS"), [""], {"LOGINS": "a:b"}) == ["a:b"]


@pytest.mark.parametrize(
    ("credentials", "given", "message"),
    [
        pytest.param(None, [], flower.NO_LOGIN, id="none"),
        pytest.param(None, [""], flower.NO_LOGIN, id="an empty one"),
        pytest.param(None, ["a:b", "secret"], flower.BAD_LOGIN, id="no password"),
        pytest.param(None, ["secret:"], flower.BAD_LOGIN, id="an empty password"),
        pytest.param(None, [":secret"], flower.BAD_LOGIN, id="no user"),
        pytest.param(None, ["a:sécret"], flower.BAD_LOGIN, id="not ASCII"),
        pytest.param(None, ["a:secret\n"], flower.BAD_LOGIN, id="a line end"),
        pytest.param("env:LOGINS", [], "LOGINS is not set", id="a variable that is not set"),
        pytest.param("file:/no/such", [], "/no/such", id="a file that is not there"),
    ],
)
def test_a_login_that_protects_nothing_is_refused_and_not_shown(credentials, given, message):
    with pytest.raises(ConfigError) as caught:
        flower.logins(settings(credentials), given, {})

    (problem,) = caught.value.problems
    assert message in problem
    assert not any(each in problem for each in given if each)


def test_an_object_is_shown_by_source_and_name():
    shown = flower.format_task(task())

    assert (shown.source, shown.object, shown.file) == ("prod", URL, URL.rpartition("/")[2])
    assert (shown.result, shown.state) == ("delivered", "SUCCESS")
    assert shown._fields == ("source", "object", "file", "uuid", "name", "parent_id")


@pytest.mark.parametrize("status", ["parked", "refused", "pending"])
def test_an_object_that_is_not_delivered_is_not_shown_as_a_success(status):
    shown = flower.format_task(task(result=f"'{status}: access-denied'"))

    assert (shown.result, shown.state) == (f"{status}: access-denied", status.upper())


@pytest.mark.parametrize(
    ("name", "args", "result", "source", "words"),
    [
        pytest.param("poll", "prod", "12", "prod", "12 messages", id="a poll"),
        pytest.param("poll", "prod, poller 2", "1", "prod", "1 message", id="one of several"),
        pytest.param("settle", "prod, 3 messages", "2", "prod", "2 messages", id="a settle"),
        pytest.param("maintenance", "prod", "1", "prod", "1 object", id="a maintenance"),
        pytest.param("maintenance", "prod", None, "prod", "", id="one that runs, or failed"),
        pytest.param("poll", "['prod', 0]", "1", None, "1 message", id="of an older version"),
        pytest.param("poll", None, None, None, "", id="one whose beginning was not seen"),
    ],
)
def test_a_task_of_a_source_is_shown_with_its_source_and_result(name, args, result, source, words):
    shown = flower.format_task(task(name, args, result))

    assert (shown.source, shown.result, shown.file) == (source, words, "")


def test_an_unknown_task_is_shown_too():
    shown = flower.format_task(SimpleNamespace(name=None, args=None, result=None, _fields=()))

    assert (shown.source, shown.object, shown.result) == (None, None, "")


def test_the_defaults_have_limits():
    found = flower.defaults(settings())

    assert (found["address"], found["read_only"]) == ("127.0.0.1", True)
    assert (found["max_tasks"], found["purge_offline_workers"]) == (10_000, 300)
