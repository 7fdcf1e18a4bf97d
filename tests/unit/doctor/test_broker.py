"""The broker, and what the line says by its ledger."""

import socket
import time

import pytest
import redis

from tests.support import impaired, servers
from tests.support.unit_fleets import pulse, well
from trailcourier import wiring
from trailcourier.doctor import broker
from trailcourier.ledger.workers import CONTROL
from trailcourier.models import ObjectRef


def test_a_healthy_broker_is_ok(doctor, ledger):
    well(ledger)

    report = doctor()

    assert {
        each.id: each.level for each in report.findings if each.id[:3] == "TC8"
    } == dict.fromkeys(
        ("TC801", "TC802", "TC803", "TC805", "TC806", "TC807", "TC808", "TC809", "TC811"), "ok"
    ) | {"TC810": "not-checked", "TC812": "not-checked"}
    assert report.one("TC806").text == (
        "no breaker is open; 0 objects in flight, 0 parked; last delivery never"
    )


def test_a_broker_that_is_down_is_the_only_error(doctor, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    monkeypatch.setenv("BROKER", f"redis://:hunter2@127.0.0.1:{port}/0")

    report = doctor()

    assert (report.code, report.errors) == (1, ["TC801"])
    assert f"broker 127.0.0.1:{port}/0: no connection" in report.one("TC801").text
    assert "hunter2" not in str(report.output)


def test_a_broker_that_does_not_answer_is_waited_for_a_while(doctor, monkeypatch):
    monkeypatch.setattr(broker, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("BROKER", f"redis://127.0.0.1:{listening.getsockname()[1]}/0")
        report = doctor()

    assert report.errors == ["TC801"]
    assert "no answer within" in report.one("TC801").text


def test_a_wrong_password_is_reported(doctor, client, monkeypatch):
    port = client.connection_pool.connection_kwargs["port"]
    monkeypatch.setenv("BROKER", f"redis://:wrong@127.0.0.1:{port}/0")

    report = doctor()

    assert report.errors == ["TC801"]
    assert "the password was not accepted" in report.one("TC801").text


def test_without_a_broker_run_brings_one(doctor):
    report = doctor(instead={'[broker]\nurl = "env:BROKER"\n': ""})

    assert report.one("TC801").text.startswith("no broker is configured: `trailcourier run` starts")
    assert "TC802" not in report.levels


@pytest.fixture
def evicting(client):
    client.config_set("maxmemory-policy", "allkeys-lru")
    yield
    client.config_set("maxmemory-policy", "noeviction")


def test_a_broker_that_may_evict_keys_is_an_error(doctor, evicting):
    report = doctor()

    assert report.errors == ["TC802"]
    assert "maxmemory-policy is allkeys-lru" in report.one("TC802").text


def test_one_that_may_by_the_operators_leave_is_a_warning(doctor, evicting):
    report = doctor(instead={"[broker]\n": "[broker]\nrequire_noeviction = false\n"})

    assert report.errors == []
    assert report.one("TC802").level == "warning"


def test_a_broker_that_keeps_nothing_is_a_warning(doctor, client):
    client.config_set("appendonly", "no")
    try:
        found = doctor().one("TC803")
    finally:
        client.config_set("appendonly", "yes")

    assert (found.level, found.fix) == ("warning", "Set `appendonly yes` in Redis.")


@pytest.fixture
def info(monkeypatch):
    """Have the broker's INFO say this too."""

    def info(**more):
        real_info = redis.Redis.info
        monkeypatch.setattr(redis.Redis, "info", lambda self: real_info(self) | more)

    return info


def test_a_broker_that_cannot_write_to_its_disk_is_an_error(doctor, info):
    info(aof_last_write_status="err")

    report = doctor()

    assert report.errors == ["TC803"]
    assert "aof_last_write_status" in report.one("TC803").text


@pytest.mark.parametrize(("used", "level"), [(950, "warning"), (100, "ok")])
def test_a_broker_that_is_almost_full_is_a_warning(doctor, info, used, level):
    info(maxmemory=1000, used_memory=used)

    found = doctor().one("TC804")

    assert found.level == level
    assert found.text == f"the broker uses {used // 10}% of its maxmemory"


def test_a_broker_that_is_full_is_the_only_error(doctor, client):
    client.config_set("maxmemory", "1")
    try:
        report = doctor()
    finally:
        client.config_set("maxmemory", "0")

    assert report.errors == ["TC804"]
    assert "its memory is full" in report.one("TC804").text
    assert report.one("TC804").fix.startswith("Raise maxmemory")
    assert report.one("TC807").level == "not-checked"


def test_a_broker_that_has_too_few_replicas_is_the_only_error(doctor, client):
    client.config_set("min-replicas-to-write", "1")
    try:
        report = doctor()
    finally:
        client.config_set("min-replicas-to-write", "0")

    assert report.errors == ["TC801"]
    assert "fewer replicas follow it" in report.of("TC801")[-1].text


@pytest.fixture(scope="module")
def running():
    """A broker that may be brought into any state."""
    with servers.valkey(persist=True) as started:
        yield started


@pytest.fixture
def other(running, monkeypatch):
    """The same, as the one that is configured."""
    monkeypatch.setenv("BROKER", running.url)
    return running


@pytest.mark.parametrize(
    ("state", "id_", "words"),
    [
        (impaired.full, "TC804", "its memory is full"),
        (impaired.replica, "TC801", "it is a replica that has lost its primary. Give the URL"),
        (impaired.orphan, "TC801", "it is a replica that has lost its primary"),
        (impaired.unsaved, "TC803", "the broker cannot write to its disk (rdb_last_bgsave_status)"),
        (impaired.alone, "TC801", "fewer replicas follow it than min-replicas-to-write"),
        (impaired.busy, "TC801", "a script has been running for seconds"),
        (impaired.other_password, "TC801", "the password was not accepted"),
        (impaired.forbidden, "TC801", "the user lacks rights that docs/security.md lists (NOPERM "),
    ],
)
def test_a_broker_that_cannot_serve_is_named_and_the_only_error(doctor, other, state, id_, words):
    with state(other):
        report = doctor()

    assert {*report.errors} == {id_}
    assert words in report.of(id_)[-1].text
    assert report.of(id_)[-1].fix


def test_a_clock_that_is_not_the_brokers_is_a_warning(doctor, monkeypatch):
    monkeypatch.setattr(broker.time, "time", lambda: time.monotonic() + 4_000_000_000)

    found = doctor().one("TC805")

    assert found.level == "warning"
    assert " s ahead of the broker's" in found.text


def test_an_open_breaker_is_reported_with_the_error_that_opened_it(doctor, ledger):
    for at in range(5):
        ref = f"object {ObjectRef('b', str(at))}"
        ledger.breakers.count_failure(
            "bucket:prod:acme", ref, reason="access-denied", text="403 it said"
        )

    report = doctor()

    found = report.one("TC806")
    assert (report.code, report.errors) == (1, ["TC806"])
    assert found.text.startswith("breaker bucket:prod:acme has been open for ")
    assert found.text.endswith(": 403 it said")
    assert "access-denied" in found.fix


def test_a_breaker_of_one_host_is_a_warning(doctor, ledger):
    well(ledger)
    pulse(ledger, CONTROL, host="b")
    for at in range(5):
        ledger.breakers.count_failure(
            "bucket:prod:acme", f"{at}", reason="network", text="no answer", host="host"
        )

    report = doctor()

    assert (report.code, report.worst) == (0, "TC806")
    assert "breaker bucket:prod:acme@host" in report.one("TC806").text


def test_looking_changes_nothing_in_the_broker(doctor, client, ledger):
    ledger.sums.count({"messages:deleted": 3})
    before = contents(client)

    doctor()

    assert contents(client) == before


def contents(client):
    return {key: client.dump(key) for key in client.keys("*")}


def test_the_private_broker_of_a_run_is_looked_at(doctor, client, tmp_path):
    known = client.connection_pool.connection_kwargs
    (tmp_path / "state/broker").mkdir(parents=True)
    (tmp_path / "state/broker/url").write_text(
        f"redis://:{known['password']}@127.0.0.1:{known['port']}/0"
    )

    report = doctor(
        instead={'[broker]\nurl = "env:BROKER"\n': ""},
        more=f'[workers]\nstate_dir = "{tmp_path}/state"\n',
    )
    wiring.forget()

    assert report.one("TC802").level == "ok"
