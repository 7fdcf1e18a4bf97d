import stat

import pytest

from trailcourier.errors import ConfigError
from trailcourier.provision.secret_file import create_secret_files, key_id_path


def test_id_and_secret_are_readable_by_their_owner_only(tmp_path):
    path = tmp_path / "secret"

    with create_secret_files(path) as save_key:
        save_key("AKIAEXAMPLE", "a-secret")

    assert (path.read_text(), key_id_path(path).read_text()) == ("a-secret\n", "AKIAEXAMPLE\n")
    assert {stat.S_IMODE(each.stat().st_mode) for each in (path, key_id_path(path))} == {0o600}


def test_no_file_remains_if_nothing_was_saved(tmp_path):
    with pytest.raises(RuntimeError), create_secret_files(tmp_path / "secret"):
        raise RuntimeError

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["secret", "secret.id"])
def test_an_existing_file_is_never_changed(tmp_path, name):
    (tmp_path / name).write_text("somebody's")

    with (
        pytest.raises(ConfigError, match="exists already"),
        create_secret_files(tmp_path / "secret"),
    ):
        pass

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "somebody's"


def test_a_symbolic_link_is_not_followed(tmp_path):
    (tmp_path / "secret").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError), create_secret_files(tmp_path / "secret"):
        pass

    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_folder_is_an_error(tmp_path):
    with (
        pytest.raises(ConfigError, match="No such file"),
        create_secret_files(tmp_path / "no" / "secret"),
    ):
        pass
