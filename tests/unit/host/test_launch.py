"""The private broker of a host, and the commands that find it."""

import os
import stat
import threading

import pytest
import redis

from tests.support.servers import valkey
from trailcourier import settings, wiring
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.host import embedded_broker, launch
from trailcourier.ledger import broker
from trailcourier.sinks import folders

CONFIG = """
{broker}
[workers]
state_dir = "{folder}/state"
[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
sinks = ["console"]
[sinks.console]
type = "stdout"
"""


@pytest.fixture
def found(tmp_path):
    """The configuration, without a broker or with one."""

    def found(configured=""):
        path = tmp_path / "trailcourier.toml"
        path.write_text(CONFIG.format(broker=configured, folder=tmp_path))
        return settings.load(path)

    yield found
    wiring.forget()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def running(found, lines, monkeypatch):
    """A host that runs its private broker, and no fleet."""
    monkeypatch.setattr(launch, "process_specs", lambda **_: [])
    with launch.running(found(), say=lines.append) as entered:
        yield entered


def counter(given):
    """Return a counter of the broker in *given*."""
    with broker.connect(given.broker_url()) as client:
        return client.incr("counter")


def test_without_a_configured_broker_one_is_started_and_reported(running, lines):
    assert counter(running.settings) == 1
    assert lines[0].startswith("no broker is configured: started ")
    assert "state/broker" in lines[0]


def test_the_fleet_gets_the_brokers_url_only_by_its_environment(found, monkeypatch):
    received = {}

    class Nobody:
        def __init__(self, _members, *, environment, **_):
            received.update(environment)
            self.stopping = threading.Event()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(launch, "Fleet", Nobody)
    around = {"PATH": "/bin", "CELERY_BROKER_URL": "redis://other", "LOADER": "x"}

    with launch.running(found(), say=print, env=around, more={"MORE": "1"}) as entered:
        assert received == {
            "PATH": "/bin",
            "MORE": "1",
            "TRAILCOURIER_CONFIG": str(found().path),
            "TRAILCOURIER_BROKER__URL": f"env:{launch.PRIVATE}",
            launch.PRIVATE: entered.settings.broker_url(),
        }


def test_a_configured_broker_is_used_and_none_started(found, lines, monkeypatch, tmp_path):
    monkeypatch.setattr(launch, "process_specs", lambda **_: [])
    with valkey() as there:
        monkeypatch.setenv("THERE", there.url)
        given = found('[broker]\nurl = "env:THERE"')

        with launch.running(given, say=lines.append) as entered:
            assert entered.settings.broker_url() == there.url
        with launch.with_broker(given) as at_hand:
            assert at_hand is given

    assert lines == []
    assert not (tmp_path / "state").exists()


def test_other_commands_find_the_running_broker(running, found):
    with launch.with_broker(found()) as given:
        assert given.broker_url() == running.settings.broker_url()


def test_only_its_user_can_read_its_url_and_it_is_removed_with_it(found, monkeypatch, tmp_path):
    monkeypatch.setattr(launch, "process_specs", lambda **_: [])
    listed = tmp_path / "state/broker" / launch.URL_FILE

    with launch.running(found(), say=print):
        mode = stat.S_IMODE(listed.stat().st_mode)
        folder = stat.S_IMODE(listed.parent.stat().st_mode)

    assert (mode, folder) == (0o600, 0o700)
    assert not listed.exists()


def test_between_two_runs_its_data_are_available(found, monkeypatch):
    monkeypatch.setattr(launch, "process_specs", lambda **_: [])
    with launch.running(found(), say=print) as entered:
        counter(entered.settings)

    with launch.with_broker(found()) as given:
        assert counter(given) == 2
        url = given.broker_url()
    with broker.connect(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


@pytest.mark.parametrize(
    "left", ["redis://:gone@127.0.0.1:1/0", "", "no url"], ids=["gone", "empty", "odd"]
)
def test_the_url_file_of_a_killed_run_is_ignored(found, monkeypatch, tmp_path, left):
    monkeypatch.setattr(launch, "process_specs", lambda **_: [])
    with launch.running(found(), say=print) as entered:
        counter(entered.settings)
    (tmp_path / "state/broker" / launch.URL_FILE).write_text(left)

    with launch.with_broker(found()) as given:
        assert counter(given) == 2
    with launch.running(found(), say=print) as entered:
        assert counter(entered.settings) == 3


def test_without_an_earlier_run_nothing_is_started(found, tmp_path):
    with launch.with_broker(found()) as given, pytest.raises(ConfigError, match="not set"):
        given.broker_url()

    assert not (tmp_path / "state").exists()


def test_a_broker_that_another_run_uses_is_an_error(running, found, monkeypatch):
    monkeypatch.setattr(embedded_broker, "LOCK_SECONDS", 0.1)

    with pytest.raises(Unreachable, match="another run uses"), launch.running(found(), say=print):
        pass


def test_an_unusable_folder_is_a_wrong_configuration(found, tmp_path):
    (tmp_path / "state").write_text("in the way")

    with pytest.raises(ConfigError) as error, launch.running(found(), say=print):
        pass

    (problem,) = error.value.problems
    assert f"trailcourier.toml: workers.state_dir: {tmp_path}/state cannot be" in problem
    assert problem.endswith(": File exists; set a folder that only this user may write to")


def test_only_this_user_can_read_the_data(found, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "process_specs", lambda **_: [])
    umask = os.umask(0)
    try:
        with launch.running(found(), say=print):
            pass
    finally:
        os.umask(umask)

    for folder in ("state", "state/broker"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_an_existing_folder_is_closed_to_other_users(found, tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "process_specs", lambda **_: [])
    (tmp_path / "state/broker").mkdir(parents=True)
    (tmp_path / "state/broker").chmod(0o777)

    with launch.running(found(), say=print):
        assert stat.S_IMODE((tmp_path / "state/broker").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_state_folder_that_others_may_write_to_is_refused(found, tmp_path, mode):
    place = tmp_path / "state"
    place.mkdir()
    place.chmod(mode)
    refused = rf"{place} cannot be used: others may write to it \(`chmod go-w {place}`\)"

    with pytest.raises(ConfigError, match=refused), launch.running(found(), say=print):
        pass

    assert not (place / "broker").exists()


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o1777])
def test_a_safe_state_folder_keeps_its_mode(found, tmp_path, monkeypatch, mode):
    monkeypatch.setattr(launch, "process_specs", lambda **_: [])
    place = tmp_path / "state"
    place.mkdir()
    place.chmod(mode)

    with launch.running(found(), say=print):
        assert stat.S_IMODE((place / "broker").stat().st_mode) == 0o700

    assert stat.S_IMODE(place.stat().st_mode) == mode


@pytest.mark.parametrize(
    ("mode", "owner", "group", "expected"),
    [
        (0o775, 4242, 4242, True),  # the members of that group are unknown
        (0o775, 0, 4242, False),  # root may do everything anyway
        (0o1775, 4242, 4242, False),
        (0o755, 4242, 4242, False),
        (0o757, 0, 0, True),
    ],
)
def test_a_file_is_replaceable_where_others_may_write_to_its_folder(mode, owner, group, expected):
    found = os.stat_result((stat.S_IFDIR | mode, 1, 1, 1, owner, group, 0, 0, 0, 0))

    assert folders.others_may_replace(found) == expected


def test_a_link_in_place_of_the_folder_is_not_followed(found, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state/broker").symlink_to(tmp_path / "theirs")

    with (
        pytest.raises(ConfigError, match="it is not this user's"),
        launch.running(found(), say=print),
    ):
        pass


def test_with_running_broker_finds_it_and_starts_none(running, found):
    assert launch.with_running_broker(found()).broker_url() == running.settings.broker_url()


def test_with_running_broker_changes_nothing_if_none_runs(found, tmp_path):
    (tmp_path / "state/broker").mkdir(parents=True)
    given = found()

    assert launch.with_running_broker(given) is given
    assert list((tmp_path / "state/broker").iterdir()) == []
