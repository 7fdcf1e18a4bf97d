"""The parts that a process opens, once, from its configuration."""

import subprocess
import sys
import threading

import pytest

from tests.support.servers import valkey
from trailcourier import settings, wiring
from trailcourier.errors import ConfigError, Fault, Unreachable
from trailcourier.models import ObjectRef
from trailcourier.wiring import lines

CONFIG = """
[broker]
url = "env:BROKER"
[sources.prod]
queue_url = "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail"
buckets = ["acme-*"]
max_compressed_mib = 2
sinks = ["archive", "console"]
[sources.prod.credentials]
kind = "iam-user"
access_key_id = "env:ID"
secret_access_key = "env:KEY"
[sources.dev]
queue_url = "https://sqs.eu-west-1.amazonaws.com/111122223333/cloudtrail"
unfiltered = true
sinks = ["archive"]
[sinks.archive]
type = "file"
path = "events"
[sinks.console]
type = "stdout"
"""


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Configure this process, and forget the configuration after the test."""

    def configure(text=CONFIG, broker="redis://127.0.0.1:1/0"):
        for name, value in {"BROKER": broker, "ID": "AKIAEXAMPLE", "KEY": "example"}.items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "trailcourier.toml"
        path.write_text(text)
        wiring.configure(settings.load(path))

    yield configure
    wiring.forget()


def test_a_line_is_composed_from_its_source(configured):
    configured()

    line = lines.line("prod")

    assert (line.source, line.sinks, line.rules.buckets) == (
        "prod",
        ("archive", "console"),
        ("acme-*",),
    )
    assert line.log_limits.compressed == 2 * 1024 * 1024
    assert line.ledger is wiring.ledger("prod")
    assert line.find_dropping_rules([b"{}"]) == [None]


def test_sources_share_their_process_and_their_sinks_but_not_their_queue(configured):
    configured()

    prod, dev = lines.line("prod"), lines.line("dev")

    assert prod.process is dev.process
    assert prod.configured_sinks[0] is dev.configured_sinks[0]
    assert prod.queue is not dev.queue
    assert prod.queue is lines.queue("prod")


def test_the_last_configuration_counts(configured):
    configured()
    before = lines.line("prod"), wiring.client()

    configured(CONFIG.replace('"acme-*"', '"other"'), broker="redis://127.0.0.1:2/0")

    assert lines.line("prod").rules.buckets == ("other",)
    assert before[0] is not lines.line("prod")
    assert before[1] is not wiring.client()


def test_threads_that_open_at_once_get_the_same_object(configured):
    configured()
    found, ready = [], threading.Barrier(8)

    def ask():
        ready.wait()
        found.append(lines.line("prod"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert len(found) == 8
    assert len({id(each) for each in found}) == 1


def test_an_unknown_source_cannot_be_polled_but_its_objects_are_parked(configured):
    configured()

    with pytest.raises(Fault) as polled:
        lines.line("of-tomorrow")
    parking = lines.for_forward("of-tomorrow")
    with pytest.raises(Fault) as carried:
        parking.reader.open(ObjectRef("acme-logs", "k"))
    with pytest.raises(Fault) as settled:
        parking.queue.delete([])

    assert {each.value.reason for each in (polled, carried, settled)} == {"unknown-source"}


def test_objects_of_a_configured_source_are_forwarded_by_its_line(configured):
    configured()

    assert lines.for_forward("prod") is lines.line("prod")


def test_an_unknown_name_is_an_error_that_lists_the_known_ones(configured):
    configured()

    with pytest.raises(ConfigError, match="no source 'prd'; configured: prod, dev"):
        wiring.known("prd")
    with pytest.raises(ConfigError, match="no sink 'siem'; configured: archive, console"):
        lines.sink("siem")


def test_without_a_broker_nothing_is_opened(configured):
    configured(CONFIG.replace('url = "env:BROKER"', ""))

    with pytest.raises(ConfigError, match=r"broker\.url: not set"):
        wiring.demand_broker()


def test_a_broker_that_does_not_answer_is_reported_in_a_line(configured):
    configured()

    with pytest.raises(Unreachable, match=r"^broker 127\.0\.0\.1:1/0: no connection"):
        wiring.demand_broker()
    with pytest.raises(Unreachable, match=r"^broker 127\.0\.0\.1:1/0"), wiring.answering():
        wiring.ledger("prod").sums.read()


def test_every_source_sees_the_workers(configured):
    with valkey() as running:
        configured(broker=running.url)

        wiring.workers().note_heartbeat("w1", 8)
        both = [wiring.ledger(name).workers.count_threads() for name in ("prod", "dev")]
        wiring.workers().remove("w1")

        assert both == [8, 8]
        assert wiring.ledger("prod").workers.count_threads() == 0
        wiring.client().close()


def test_beat_imports_no_aws_library(tmp_path):
    code = (
        "import sys; from trailcourier import wiring; "
        "print(*{'boto3', 'botocore', 'obstore'} & sys.modules.keys())"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


OWN = """
[sources.prod.bucket_credentials."acme-eu-*"]
kind = "iam-user"
access_key_id = "env:EU_ID"
secret_access_key = "env:KEY"
"""


def test_a_bucket_is_read_with_the_credentials_of_its_glob_and_the_queue_with_the_sources(
    configured, monkeypatch
):
    monkeypatch.setenv("EU_ID", "AKIAEU")
    configured(CONFIG.replace("[sources.dev]", f"{OWN}[sources.dev]"))

    line = lines.line("prod")

    def key(bucket):
        return line.reader._reader(bucket)._session.get_credentials().access_key

    assert (key("acme-eu-logs"), key("acme-us-logs")) == ("AKIAEU", "AKIAEXAMPLE")
    assert [
        line.reader.uses_source_credentials(each) for each in ("acme-eu-logs", "acme-us-logs")
    ] == [False, True]
    assert line.queue._session.get_credentials().access_key == "AKIAEXAMPLE"
