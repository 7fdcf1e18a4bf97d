"""The sinks: whether they could take records, and on demand whether they do."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from tests.support.http_stub import Reply, Server
from tests.support.tls import authority

TOKEN = "2bfbea1e-10c3-4419-bdad-7e6435882e1f"
FILE = '[sinks.archive]\ntype = "file"\npath = "events"\n'
COLLECTOR = """[sinks.archive]
type = "insightidr"
way = "collector"
host = "127.0.0.1"
port = {port}
{more}
"""


@pytest.fixture
def closed():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def collector(port, more="tls = false"):
    return {FILE: COLLECTOR.format(port=port, more=more)}


def test_a_folder_that_may_be_written_to_is_ready_and_nothing_is_written(doctor, tmp_path):
    found = doctor().one("TC901")

    assert found.level == "ok"
    assert found.text.startswith(f"sink archive: {tmp_path}/events is writable, ")
    assert list((tmp_path / "events").iterdir()) == []


def test_a_folder_that_is_made_at_need_is_ready(doctor, tmp_path):
    (tmp_path / "events").rmdir()

    assert doctor().one("TC901").level == "ok"
    assert not (tmp_path / "events").exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("no/such/folder", "/no/such, in which folder would be created, does not exist"),
        ("trailcourier.toml", "trailcourier.toml is not a folder"),
    ],
)
def test_a_folder_that_cannot_be_created_is_an_error(doctor, path, words):
    report = doctor(instead={'path = "events"': f'path = "{path}"'})

    assert report.errors == ["TC901"]
    assert words in report.one("TC901").text


def test_a_folder_that_others_may_write_to_is_an_error_with_what_to_do(doctor, tmp_path):
    (tmp_path / "events").chmod(0o777)

    report = doctor()

    assert report.errors == ["TC901"]
    found = report.one("TC901")
    assert found.text == f"sink archive: {tmp_path}/events may be written to by everybody"
    assert found.fix.startswith(f"`chmod go-w {tmp_path}/events`, or set `trust_path = true`")


def test_a_folder_that_others_may_write_to_is_ready_where_it_is_trusted(doctor, tmp_path):
    (tmp_path / "events").chmod(0o777)
    trusting = {'path = "events"': 'path = "events"\ntrust_path = true'}

    assert doctor(instead=trusting).one("TC901").level == "ok"


def test_a_folder_that_this_user_may_not_write_to_is_an_error(doctor, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    report = doctor()

    assert report.errors == ["TC901"]
    assert "this user may not write to" in report.one("TC901").text


def test_a_folder_that_is_read_only_here_is_an_error(doctor, monkeypatch):
    read_only = os.statvfs_result((*os.statvfs(".")[:8], os.ST_RDONLY, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: read_only)

    report = doctor()

    assert report.errors == ["TC901"]
    assert "its file system is read-only" in report.one("TC901").text
    assert "where the workers run" in report.one("TC901").fix


def test_a_disk_that_is_almost_full_is_a_warning(doctor, monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))

    assert doctor().one("TC901").level == "warning"


def test_standard_output_is_ok_and_its_reader_unknown(doctor):
    found = doctor(instead={FILE: '[sinks.archive]\ntype = "stdout"\n'}).one("TC901")

    assert (found.level, "standard output" in found.text) == ("ok", True)


def test_a_collector_that_takes_connections_is_ready_and_is_sent_nothing(doctor, listening):
    found = doctor(instead=collector(listening)).one("TC901")

    assert found.level == "ok"
    assert found.text == (
        f"sink archive: 127.0.0.1:{listening} accepts connections; no record was sent"
    )


def test_a_collector_that_is_down_is_an_error(doctor, closed):
    report = doctor(instead=collector(closed))

    assert report.errors == ["TC901"]
    assert report.one("TC901").text == f"sink archive: 127.0.0.1:{closed}: Connection refused"
    assert report.one("TC901").fix == (
        "Check that the receiver listens on that port, that the sink's settings name it, and that "
        "no firewall blocks it. See TC102 in docs/doctor.md."
    )


def test_a_collector_with_tls_is_trusted_as_the_sink_would(doctor, tmp_path):
    bundle, context = authority(tmp_path)
    with Server(lambda request: Reply(200), tls=context) as server:
        trusted = doctor(instead=collector(server.port, f'ca_file = "{bundle}"'))
        strange = doctor(instead=collector(server.port, ""))

    assert trusted.one("TC901").level == "ok"
    assert strange.errors == ["TC901"]
    assert "its certificate is not accepted" in strange.one("TC901").text


def test_a_servers_own_certificate_is_enough_for_a_sink_and_not_for_aws(
    doctor, tmp_path, monkeypatch
):
    _, context = authority(tmp_path)
    leaf = (tmp_path / "server.pem").read_text().partition("-----BEGIN PRIVATE")[0]
    (tmp_path / "leaf.pem").write_text(leaf)
    with Server(lambda request: Reply(200), tls=context) as server:
        sink = doctor(instead=collector(server.port, f'ca_file = "{tmp_path}/leaf.pem"'))
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_CA_BUNDLE", f"{tmp_path}/leaf.pem")
        aws = doctor()

    assert sink.one("TC901").level == "ok"
    assert aws.errors == ["TC104"]


def webhook(tmp_path, url):
    (tmp_path / "url").write_text(url)
    text = f'[sinks.archive]\ntype = "insightidr"\nway = "webhook"\nurl = "file:{tmp_path}/url"\n'
    return {FILE: text}


def test_a_webhook_is_reached_and_its_token_is_not_shown(doctor, tmp_path):
    with Server(lambda request: Reply(204)) as server:
        report = doctor(instead=webhook(tmp_path, f"{server.url}/v1/noformat/{TOKEN}"))

    assert report.one("TC901").level == "ok"
    assert TOKEN not in json.dumps(report.output)


def test_a_missing_secret_is_an_error(doctor, tmp_path, monkeypatch):
    from trailcourier.sinks import insightidr

    def gone(self):
        raise ValueError("file:/token holds no URL")

    monkeypatch.setattr(insightidr.Webhook, "peers", gone)

    report = doctor(instead=webhook(tmp_path, "http://127.0.0.1:9/v1"))

    assert report.errors == ["TC901"]
    assert report.one("TC901").text == "sink archive: file:/token holds no URL"


def test_a_sink_without_known_hosts_is_checked_only_by_sending(doctor, tmp_path, monkeypatch):
    from trailcourier.sinks import insightidr

    monkeypatch.setattr(insightidr.Webhook, "peers", lambda self: ())

    found = doctor(instead=webhook(tmp_path, "http://127.0.0.1:9/v1")).one("TC901")

    assert found.level == "not-checked"
    assert "doctor --send" in found.fix


def test_send_sends_each_sink_one_marked_record(doctor, tmp_path):
    report = doctor("--send")

    (path,) = (tmp_path / "events").rglob("*.ndjson")
    record = json.loads(path.read_text())
    assert report.one("TC902").text == (
        f"sink archive accepted a record; look for eventID {record['eventID']} there"
    )
    assert record["eventName"] == "TrailcourierSinkTest"
    assert "TC901" not in report.levels


def test_a_sink_of_two_sources_is_sent_one_record(doctor, tmp_path):
    second = Path("trailcourier.toml")
    more = (
        '[sources.dev]\nqueue_url = "http://127.0.0.1:9/123456789012/dev"\n'
        'queue_region = "eu-west-1"\nsinks = ["archive"]\n'
    )

    report = doctor("--send", more=more)

    assert second.exists()
    assert len(list((tmp_path / "events").rglob("*.ndjson"))) == 1
    assert len(report.of("TC902")) == 1


def test_a_sink_that_does_not_take_it_is_an_error_with_the_reasons_advice(doctor, closed):
    report = doctor("--send", instead=collector(closed))

    assert report.errors == ["TC902"]
    assert "(sink-unreachable)" in report.one("TC902").text
    assert "firewalls and DNS" in report.one("TC902").fix


def test_records_that_leave_govcloud_are_reported(doctor, account, listening):
    instead = collector(listening) | {'"eu-west-1"': '"us-gov-west-1"'}

    found = doctor(instead=instead).one("TC903")

    assert found.level == "not-checked"
    assert found.text.startswith(
        "sink archive: InsightIDR stores records in standard AWS regions: through this sink they "
        "leave partition aws-us-gov"
    )


def test_records_that_stay_on_the_machine_or_in_the_partition_are_no_finding(doctor, listening):
    in_aws = doctor(instead=collector(listening))
    on_disk = doctor(instead={'"eu-west-1"': '"us-gov-west-1"'})

    assert "TC903" not in in_aws.levels
    assert "TC903" not in on_disk.levels
