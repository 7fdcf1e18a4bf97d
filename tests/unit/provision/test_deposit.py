import stat

import pytest

from trailcourier.errors import ConfigError
from trailcourier.provision.deposit import beside, deposit


def test_id_and_secret_are_kept_for_their_owner_alone(tmp_path):
    path = tmp_path / "secret"

    with deposit(path) as keep:
        keep("AKIAEXAMPLE", "a-secret")

    assert (path.read_text(), beside(path).read_text()) == ("a-secret\n", "AKIAEXAMPLE\n")
    assert {stat.S_IMODE(each.stat().st_mode) for each in (path, beside(path))} == {0o600}


def test_nothing_is_left_where_nothing_was_kept(tmp_path):
    with pytest.raises(RuntimeError), deposit(tmp_path / "secret"):
        raise RuntimeError

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["secret", "secret.id"])
def test_a_file_that_is_there_is_never_touched(tmp_path, name):
    (tmp_path / name).write_text("somebody's")

    with pytest.raises(ConfigError, match="is there already"), deposit(tmp_path / "secret"):
        pass

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "somebody's"


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError), deposit(tmp_path / "secret"):
        pass

    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="No such file"), deposit(tmp_path / "no" / "secret"):
        pass
