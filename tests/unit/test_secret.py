import copy
import pickle

import pytest
from pydantic import BaseModel, ValidationError

from trailcourier.errors import ConfigError
from trailcourier.secret import MAX_BYTES, Secret

LITERAL = "hunter2-correct-horse"


class Config(BaseModel):
    token: Secret


def test_a_variable_is_read_when_the_configuration_is_loaded():
    environ = {"TOKEN": LITERAL}
    secret = Config.model_validate({"token": "env:TOKEN"}, context={"environ": environ}).token

    environ["TOKEN"] = "changed later"

    assert secret.reveal() == LITERAL


def test_a_file_is_read_again_at_every_reveal(tmp_path):
    file = tmp_path / "token"
    file.write_text("old\n")
    secret = Secret(f"file:{file}")

    before, _ = secret.reveal(), file.write_text("new\n")

    assert (before, secret.reveal()) == ("old", "new")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(b"x", "x", id="no-line-end"),
        pytest.param(b"x\n", "x", id="line-end"),
        pytest.param(b"x\r\n", "x", id="windows-line-end"),
        pytest.param(b"x\n\n", "x\n", id="only-one-is-taken"),
        pytest.param(b" x \n", " x ", id="spaces-stay"),
        pytest.param("pässwort\n".encode(), "pässwort", id="utf-8"),
    ],
)
def test_one_final_line_break_of_a_file_is_removed(tmp_path, content, value):
    (tmp_path / "token").write_bytes(content)

    assert Secret(f"file:{tmp_path}/token").reveal() == value


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        pytest.param(LITERAL, "expected a reference to a secret, not the secret", id="literal"),
        pytest.param("", "expected a reference", id="empty"),
        pytest.param("env:", "expected a reference", id="no-name"),
        pytest.param(f"https://x:{LITERAL}@h/", "expected a reference", id="literal-with-colon"),
        pytest.param("env:NOPE", "the environment variable NOPE is not set", id="unset"),
        pytest.param("env:EMPTY", "the environment variable EMPTY is empty", id="empty-variable"),
        pytest.param("file:relative", "must be absolute", id="relative"),
        pytest.param("file:/no/such", "cannot read /no/such: No such file", id="no-file"),
        pytest.param("file:/", "cannot read /: Is a directory", id="directory"),
        pytest.param("file:/a\0b", "is not a file of UTF-8 text", id="null-byte"),
        pytest.param("file:/dev/zero", "is larger than", id="endless"),
        pytest.param("file:/dev/null", "/dev/null is empty", id="empty-file"),
    ],
)
def test_an_unusable_reference_is_refused(reference, words):
    with pytest.raises(ValueError, match=words) as caught:
        Secret(reference, {"EMPTY": ""})

    assert LITERAL not in str(caught.value)


def test_a_file_that_is_not_text_is_refused_and_not_quoted(tmp_path):
    (tmp_path / "token").write_bytes(b"\xffhunter2")

    with pytest.raises(ValueError, match="UTF-8 text") as caught:
        Secret(f"file:{tmp_path}/token")

    assert "hunter2" not in str(caught.value)


def test_a_file_may_have_the_maximum_size(tmp_path):
    (tmp_path / "token").write_text("x" * MAX_BYTES)

    assert len(Secret(f"file:{tmp_path}/token").reveal()) == MAX_BYTES


def test_a_file_that_is_deleted_later_is_a_config_error(tmp_path):
    file = tmp_path / "token"
    file.write_text("x")
    secret = Secret(f"file:{file}")
    file.unlink()

    with pytest.raises(ConfigError, match=f"file:{file}: cannot read"):
        secret.reveal()


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(str, id="str"),
        pytest.param(repr, id="repr"),
        pytest.param("{}".format, id="format"),
        pytest.param(lambda s: repr(Config(token=s)), id="model"),
        pytest.param(lambda s: Config(token=s).model_dump_json(), id="json"),
        pytest.param(lambda s: repr(Config(token=s).model_dump()), id="dump"),
    ],
)
def test_only_the_reference_is_shown(show):
    shown = show(Secret("env:TOKEN", {"TOKEN": LITERAL}))

    assert "env:TOKEN" in shown
    assert LITERAL not in shown


def test_a_secret_cannot_be_pickled():
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret("env:TOKEN", {"TOKEN": LITERAL}))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_secret_itself(duplicate):
    secret = Secret("env:TOKEN", {"TOKEN": LITERAL})

    assert duplicate(secret) is secret


def test_secrets_are_equal_when_reference_and_value_are():
    one = Secret("env:TOKEN", {"TOKEN": "x"})

    assert one == Secret("env:TOKEN", {"TOKEN": "x"})
    assert hash(one) == hash(Secret("env:TOKEN", {"TOKEN": "x"}))
    assert one != Secret("env:TOKEN", {"TOKEN": "y"})
    assert one != "env:TOKEN"


def test_a_public_stand_in_for_a_secret_is_shown():
    assert (
        Secret.public("redis://h/0").reveal() == str(Secret.public("redis://h/0")) == "redis://h/0"
    )


@pytest.mark.parametrize("value", [5, None, ["env:TOKEN"], {"env": "TOKEN"}])
def test_a_config_key_takes_no_other_type(value):
    with pytest.raises(ValidationError, match="expected a reference"):
        Config.model_validate({"token": value}, context={"environ": {}})
