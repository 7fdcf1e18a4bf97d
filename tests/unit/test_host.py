"""The broker that a host brings itself, and who finds it."""

import os
import stat
import threading

import pytest
import redis

from tests.servers import valkey
from trailcourier import broker, host, settings, wiring
from trailcourier.errors import ConfigError, Unreachable
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
def said():
    return []


@pytest.fixture
def running(found, said, monkeypatch):
    """A host that runs its own broker, and no fleet."""
    monkeypatch.setattr(host, "members", lambda **_: [])
    with host.running(found(), say=said.append) as entered:
        yield entered


def counter(given):
    """What the broker at hand knows, through *given*."""
    with broker.connect(given.broker_url()) as client:
        return client.incr("counter")


def test_without_a_broker_one_is_started_and_said(running, said):
    assert counter(running.settings) == 1
    assert said[0].startswith("no broker is configured: started ")
    assert "state/broker" in said[0]


def test_the_fleet_is_told_where_it_is_by_its_environment_alone(found, monkeypatch):
    told = {}

    class Nobody:
        def __init__(self, _members, *, environment, **_):
            told.update(environment)
            self.stopping = threading.Event()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(host, "Fleet", Nobody)
    around = {"PATH": "/bin", "CELERY_BROKER_URL": "redis://other", "LOADER": "x"}

    with host.running(found(), say=print, env=around, more={"MORE": "1"}) as entered:
        assert told == {
            "PATH": "/bin",
            "MORE": "1",
            "TRAILCOURIER_CONFIG": str(found().path),
            "TRAILCOURIER_BROKER__URL": f"env:{host.PRIVATE}",
            host.PRIVATE: entered.settings.broker_url(),
        }


def test_a_configured_broker_is_used_and_none_started(found, said, monkeypatch, tmp_path):
    monkeypatch.setattr(host, "members", lambda **_: [])
    with valkey() as there:
        monkeypatch.setenv("THERE", there.url)
        given = found('[broker]\nurl = "env:THERE"')

        with host.running(given, say=said.append) as entered:
            assert entered.settings.broker_url() == there.url
        with host.at_hand(given) as at_hand:
            assert at_hand is given

    assert said == []
    assert not (tmp_path / "state").exists()


def test_other_commands_find_the_broker_that_runs(running, found):
    with host.at_hand(found()) as given:
        assert given.broker_url() == running.settings.broker_url()


def test_its_address_is_for_its_user_alone_and_goes_with_it(found, monkeypatch, tmp_path):
    monkeypatch.setattr(host, "members", lambda **_: [])
    listed = tmp_path / "state/broker" / host.LISTED

    with host.running(found(), say=print):
        mode = stat.S_IMODE(listed.stat().st_mode)
        folder = stat.S_IMODE(listed.parent.stat().st_mode)

    assert (mode, folder) == (0o600, 0o700)
    assert not listed.exists()


def test_between_two_runs_its_data_are_at_hand(found, monkeypatch):
    monkeypatch.setattr(host, "members", lambda **_: [])
    with host.running(found(), say=print) as entered:
        counter(entered.settings)

    with host.at_hand(found()) as given:
        assert counter(given) == 2
        url = given.broker_url()
    with broker.connect(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


@pytest.mark.parametrize(
    "left", ["redis://:gone@127.0.0.1:1/0", "", "no url"], ids=["gone", "empty", "odd"]
)
def test_an_address_that_a_killed_run_left_misleads_nobody(found, monkeypatch, tmp_path, left):
    monkeypatch.setattr(host, "members", lambda **_: [])
    with host.running(found(), say=print) as entered:
        counter(entered.settings)
    (tmp_path / "state/broker" / host.LISTED).write_text(left)

    with host.at_hand(found()) as given:
        assert counter(given) == 2
    with host.running(found(), say=print) as entered:
        assert counter(entered.settings) == 3


def test_where_nothing_ever_ran_nothing_is_started(found, tmp_path):
    with host.at_hand(found()) as given, pytest.raises(ConfigError, match="not set"):
        given.broker_url()

    assert not (tmp_path / "state").exists()


def test_a_broker_in_use_by_another_run_is_said(running, found, monkeypatch):
    monkeypatch.setattr(broker, "LOCK_SECONDS", 0.1)

    with pytest.raises(Unreachable, match="another run uses"), host.running(found(), say=print):
        pass


def test_a_folder_that_cannot_be_used_is_a_wrong_configuration(found, tmp_path):
    (tmp_path / "state").write_text("in the way")

    with pytest.raises(ConfigError) as error, host.running(found(), say=print):
        pass

    (problem,) = error.value.problems
    assert f"trailcourier.toml: workers.state_dir: {tmp_path}/state cannot be" in problem
    assert problem.endswith(": File exists; name a folder that this user alone may write to")


def test_what_is_kept_is_for_this_user_alone(found, tmp_path, monkeypatch):
    monkeypatch.setattr(host, "members", lambda **_: [])
    umask = os.umask(0)
    try:
        with host.running(found(), say=print):
            pass
    finally:
        os.umask(umask)

    for folder in ("state", "state/broker"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_a_folder_that_others_could_enter_is_closed_to_them(found, tmp_path, monkeypatch):
    monkeypatch.setattr(host, "members", lambda **_: [])
    (tmp_path / "state/broker").mkdir(parents=True)
    (tmp_path / "state/broker").chmod(0o777)

    with host.running(found(), say=print):
        assert stat.S_IMODE((tmp_path / "state/broker").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_state_folder_that_others_may_write_to_is_refused(found, tmp_path, mode):
    place = tmp_path / "state"
    place.mkdir()
    place.chmod(mode)
    refused = rf"{place} cannot be used: others may write to it \(`chmod go-w {place}`\)"

    with pytest.raises(ConfigError, match=refused), host.running(found(), say=print):
        pass

    assert not (place / "broker").exists()


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o1777])
def test_a_state_folder_in_which_nobody_can_replace_ours_keeps_its_mode(
    found, tmp_path, monkeypatch, mode
):
    monkeypatch.setattr(host, "members", lambda **_: [])
    place = tmp_path / "state"
    place.mkdir()
    place.chmod(mode)

    with host.running(found(), say=print):
        assert stat.S_IMODE((place / "broker").stat().st_mode) == 0o700

    assert stat.S_IMODE(place.stat().st_mode) == mode


@pytest.mark.parametrize(
    ("mode", "owner", "group", "expected"),
    [
        (0o775, 4242, 4242, True),  # nobody knows who is in that group
        (0o775, 0, 4242, False),  # root's own affair
        (0o1775, 4242, 4242, False),
        (0o755, 4242, 4242, False),
        (0o757, 0, 0, True),
    ],
)
def test_a_folder_is_replaceable_where_others_may_write_to_it(mode, owner, group, expected):
    found = os.stat_result((stat.S_IFDIR | mode, 1, 1, 1, owner, group, 0, 0, 0, 0))

    assert folders.replaceable(found) == expected


def test_a_link_in_the_place_of_the_folder_is_not_followed(found, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state/broker").symlink_to(tmp_path / "theirs")

    with (
        pytest.raises(ConfigError, match="it is not this user's"),
        host.running(found(), say=print),
    ):
        pass


def test_a_look_finds_the_broker_that_runs_and_starts_none(running, found):
    assert host.beside(found()).broker_url() == running.settings.broker_url()


def test_a_look_where_none_runs_leaves_the_configuration_as_it_is(found, tmp_path):
    (tmp_path / "state/broker").mkdir(parents=True)
    given = found()

    assert host.beside(given) is given
    assert list((tmp_path / "state/broker").iterdir()) == []
