"""What a process opens, once, from its configuration."""

import subprocess
import sys
import threading

import pytest

from tests.servers import valkey
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
    """Wire this process to a configuration, and to nothing once the test is over."""

    def configure(text=CONFIG, broker="redis://127.0.0.1:1/0"):
        for name, value in {"BROKER": broker, "ID": "AKIAEXAMPLE", "KEY": "example"}.items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "trailcourier.toml"
        path.write_text(text)
        wiring.configure(settings.load(path))

    yield configure
    wiring.forget()


def test_a_line_is_made_of_what_its_source_says(configured):
    configured()

    line = lines.line("prod")

    assert (line.source, line.sinks, line.buckets) == ("prod", ("archive", "console"), ("acme-*",))
    assert line.limits.compressed == 2 * 1024 * 1024
    assert line.ledger is wiring.ledger("prod")
    assert line.keep([b"{}"]) == [None]


def test_sources_share_their_process_and_their_sinks_but_not_their_queue(configured):
    configured()

    prod, dev = lines.line("prod"), lines.line("dev")

    assert prod.process is dev.process
    assert prod.outlets[0] is dev.outlets[0]
    assert prod.queue is not dev.queue
    assert prod.queue is lines.queue("prod")


def test_a_configuration_given_later_is_the_one_in_force(configured):
    configured()
    before = lines.line("prod"), wiring.client()

    configured(CONFIG.replace('"acme-*"', '"other"'), broker="redis://127.0.0.1:2/0")

    assert lines.line("prod").buckets == ("other",)
    assert before[0] is not lines.line("prod")
    assert before[1] is not wiring.client()


def test_threads_that_ask_at_once_are_given_the_same(configured):
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
    parking = lines.carrying("of-tomorrow")
    with pytest.raises(Fault) as carried:
        parking.reader.open(ObjectRef("acme-logs", "k"))
    with pytest.raises(Fault) as settled:
        parking.queue.delete([])

    assert {each.value.reason for each in (polled, carried, settled)} == {"unknown-source"}


def test_a_source_the_configuration_has_is_carried_by_its_own_line(configured):
    configured()

    assert lines.carrying("prod") is lines.line("prod")


def test_what_is_not_configured_is_said_with_what_is(configured):
    configured()

    with pytest.raises(ConfigError, match="no source 'prd'; configured: prod, dev"):
        wiring.known("prd")
    with pytest.raises(ConfigError, match="no sink 'siem'; configured: archive, console"):
        lines.sink("siem")


def test_without_a_broker_nothing_is_wired(configured):
    configured(CONFIG.replace('url = "env:BROKER"', ""))

    with pytest.raises(ConfigError, match=r"broker\.url: not set"):
        wiring.demand_broker()


def test_a_broker_that_is_away_is_said_in_a_line(configured):
    configured()

    with pytest.raises(Unreachable, match=r"^broker 127\.0\.0\.1:1/0: no connection"):
        wiring.demand_broker()
    with pytest.raises(Unreachable, match=r"^broker 127\.0\.0\.1:1/0"), wiring.answering():
        wiring.ledger("prod").sums.all()


def test_workers_are_heard_of_by_every_source(configured):
    with valkey() as running:
        configured(broker=running.url)

        wiring.workers().heartbeat("w1", 8)
        both = [wiring.ledger(name).workers.threads() for name in ("prod", "dev")]
        wiring.workers().gone("w1")

        assert both == [8, 8]
        assert wiring.ledger("prod").workers.threads() == 0
        wiring.client().close()


def test_the_clock_does_without_awss_libraries(tmp_path):
    code = (
        "import sys; from trailcourier import wiring; "
        "print(*{'boto3', 'botocore', 'obstore'} & sys.modules.keys())"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == ""


OWN = """
[sources.prod.bucket_credentials."acme-eu-*"]
kind = "iam-user"
access_key_id = "env:EU_ID"
secret_access_key = "env:KEY"
"""


def test_a_bucket_is_read_as_whom_its_glob_says_and_the_queue_as_the_source(
    configured, monkeypatch
):
    monkeypatch.setenv("EU_ID", "AKIAEU")
    configured(CONFIG.replace("[sources.dev]", f"{OWN}[sources.dev]"))

    line = lines.line("prod")

    def key(bucket):
        return line.reader._of(bucket)._session.get_credentials().access_key

    assert (key("acme-eu-logs"), key("acme-us-logs")) == ("AKIAEU", "AKIAEXAMPLE")
    assert [line.reader.shares(each) for each in ("acme-eu-logs", "acme-us-logs")] == [False, True]
    assert line.queue._session.get_credentials().access_key == "AKIAEXAMPLE"
