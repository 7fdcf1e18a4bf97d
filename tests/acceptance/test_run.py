"""``trailcourier run`` as a person starts it: real processes, a real broker, stubs of AWS."""

import json
import os
import signal
import time

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from tests.support import announcements as say
from tests.support.announcements import BUCKET
from tests.support.fleet import until
from tests.support.host import counted, log_file, record
from tests.support.servers import free_port
from trailcourier.host import child_process

FOLDER = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23"
DENIED = {"code": "AccessDenied", "status": 403, "times": -1}


def key(name: str) -> str:
    return f"{FOLDER}/111122223333_CloudTrail_us-east-1_20261123T0000Z_{name:0>16}.json.gz"


def announced(host, shape, wrapping, name):
    """A log file, announced in *shape* and *wrapping*; its records."""
    etag, records = host.put(name)
    bare = {
        "cloudtrail": lambda: say.own(name),
        "s3": lambda: say.s3(say.entry(name, eTag=etag)),
        "eventbridge": lambda: say.eventbridge(name, etag=etag),
    }
    host.sqs.send("trail", say.WRAPPINGS[wrapping](bare[shape]()))
    return records


def mixed(host):
    """Announce everything: what must arrive, and how many messages must stay."""
    keys = (key(f"{at:016}") for at in range(100))
    wanted = [
        record
        for shape in say.SHAPES
        for wrapping in say.WRAPPINGS
        for record in announced(host, shape, wrapping, next(keys))
    ]
    for odd in (key("a b+c%2Bd=:"), key("grün\u202e"), "copies/of a log.json.gz"):
        wanted += announced(host, "cloudtrail", "sns/", odd)
    many = [next(keys) for _ in range(7)]
    wanted += [record for each in many for record in host.put(each)[1]]
    host.sqs.send("trail", *[say.own(*many)] * 3)  # and its duplicates
    gone = say.entry(next(keys), "ObjectRemoved:Delete")
    unread = [say.text(say.S3_TEST), say.VALIDATION, say.sns(say.VALIDATION), say.config()]
    digest = f"{FOLDER}/x".replace("/CloudTrail/", "/CloudTrail-Digest/")
    host.sqs.send("trail", *unread, say.s3(gone), say.own(digest))
    host.s3.put(BUCKET, key("corrupt"), log_file([record("c")])[:-9])
    beside = host.put(key("beside"))[1]
    stay = [
        "no JSON at all",
        "\x00\x1b[2J",
        say.confirmation(),
        say.own(key("corrupt"), key("beside")),
        say.own(key("of-others"), bucket="somebody-elses"),
        say.s3_event("unknown/key"),
        say.own(key("missing")),
    ]
    host.sqs.send("trail", *stay)
    return counted([*wanted, *beside]), stay


def test_a_drain_carries_everything_and_leaves_what_must_stay(host):
    wanted, stay = mixed(host)
    for action in ("GetQueueAttributes", "ChangeMessageVisibilityBatch"):
        host.sqs.fault(action, **DENIED)
    # where it is started lies another program's folder of the same name
    (host.folder / "tasks").mkdir()
    (host.folder / "tasks" / "__init__.py").write_text("raise SystemExit('not ours')")
    host.environment |= {"APP": "other"}

    result = host.run("run", "--drain", "--json")

    assert result.code == 0, result.err
    assert host.arrived() == wanted
    assert sorted(host.sqs.bodies("trail")) == sorted(stay)
    assert result.out.count("\n") == 1
    (prod,) = json.loads(result.out)["sources"]
    assert prod["drained"]
    assert prod["records"]["in"] == wanted.total() == prod["sinks"]["archive"]["delivered"]
    assert sorted(each["reason"] for each in prod["refused"]) == [
        "bucket-not-allowed", "corrupt", "no-such-key", "not-understood", "subscription",
        "unknown-key",
    ]  # fmt: skip  # two messages that are alike are one entry
    assert "Traceback" not in result.err
    assert "superuser" not in result.err
    assert host.left() == []


def test_the_private_broker_is_there_for_who_asks_how_it_stands(host):
    host.sqs.send("trail", "no JSON at all")

    running = host.start("run")
    running.until(lambda: host.sqs.log("ChangeMessageVisibilityBatch"))
    running.until(lambda: host.run("status").code == 0)  # each step has left its trace
    status = host.run("status", "--json")
    child_process.send(running.process, signal.SIGTERM)
    running.ended()
    listed = host.run("quarantine", "list", "--json")

    assert (status.code, status.err) == (0, "")
    assert json.loads(status.out)["sources"][0]["workers"] == 4
    assert [each["reason"] for each in json.loads(listed.out)] == ["not-understood"]
    assert host.left() == []


def test_a_fleet_runs_until_it_is_stopped_and_leaves_nothing_behind(host, configured_broker):
    host.configure(sink="console", broker=configured_broker, processes=2)
    wanted = [record for at in range(30) for record in announced(host, "s3", "", key(f"{at:016}"))]

    running = host.start("run")
    running.until(lambda: running.out.count("\n") == len(wanted))
    running.until(lambda: not host.sqs.bodies("trail"))
    status = host.run("status", "--json")
    child_process.send(running.process, signal.SIGTERM)
    result = running.ended()

    assert (result.code, "Traceback" in result.err) == (0, False)
    assert counted(result.out.encode().splitlines()) == counted(wanted)
    assert host.left() == []
    (prod,) = json.loads(status.out)["sources"]
    assert (prod["objects"]["delivered"], prod["in_flight"], prod["workers"]) == (30, 0, 8)
    assert all(line.startswith(("{", "trailcourier: ")) for line in result.err.splitlines())


def test_nothing_is_left_of_a_run_that_was_killed_once_the_next_has_started(host):
    temporary = host.folder / "temporary"
    temporary.mkdir()
    host.environment["TMPDIR"] = str(temporary)
    killed = host.start("run")
    killed.until(lambda: ": running prod" in killed.err)
    (left,) = temporary.iterdir()
    child_process.send(killed.process, signal.SIGKILL)
    killed.ended()
    assert left.exists()

    again = host.start("run")
    again.until(lambda: ": running prod" in again.err)
    again.until(lambda: not left.exists())
    child_process.send(again.process, signal.SIGTERM)

    assert again.ended().code == 0
    assert list(temporary.iterdir()) == []
    until(lambda: not host.left())  # the killed run's reaper gives its processes time to end


@pytest.fixture
def page(host):
    """The page of a run: its metrics by name and labels."""
    port = free_port()
    host.environment["TRAILCOURIER_WORKERS__METRICS_PORT"] = str(port)

    def page():
        answer = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", timeout=10)
        return {
            (
                sample.name.removeprefix("trailcourier_"),
                *sorted(sample.labels.values()),
            ): sample.value
            for family in text_string_to_metric_families(answer.data.decode())
            for sample in family.samples
        }

    return page


def test_a_run_tells_on_one_page_what_all_its_processes_did(host, page):
    host.configure(processes=2)
    wanted = [record for at in range(20) for record in announced(host, "s3", "", key(f"{at:016}"))]
    host.sqs.send("trail", "no JSON at all")
    done = ("messages_settled_total", "deleted", "prod")

    running = host.start("run")
    running.until(lambda: ": running prod" in running.err)
    refused = ("messages_refused_total", "not-understood", "prod")
    lag = ("delivery_lag_seconds_count", "prod")
    running.until(lambda: page().get(done) == 20 and page().get(lag) == 20)
    running.until(lambda: page().get(refused) == 1)  # in whichever order SQS gives them
    before = page()
    objects = next(line.split()[0] for line in host.left() if "objects-1@" in line)
    os.kill(int(objects), signal.SIGKILL)
    running.until(lambda: "objects-1 ended" in running.err)
    more = [r for at in range(20, 25) for r in announced(host, "s3", "", key(f"{at:016}"))]
    running.until(lambda: page().get(done) == 25)

    delivered = ("records_total", "", "archive", "delivered", "prod")
    assert before[delivered] == before["records_read_total", "prod"] == len(wanted)
    assert before["messages_total", "prod", "s3"] == 20
    # a process that died has done what it has done
    assert page()[delivered] == len(wanted) + len(more)
    running.until(lambda: page().get(("quarantine_entries", "prod")) == 1)
    child_process.send(running.process, signal.SIGTERM)
    assert running.ended().code == 0
    assert host.left() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "numbers",
    [[signal.SIGTERM], [signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]],
    ids=["SIGTERM", "SIGINT", "as `timeout` does"],
)
def test_a_drain_that_is_stopped_is_done_with_and_loses_nothing(host, numbers):
    wanted = [r for at in range(60) for r in announced(host, "s3", "", key(f"{at:016}"))]
    host.s3.fault("*", delay=0.3, times=-1)

    running = host.start("run", "--drain", "--json")
    running.until(host.arrived)
    for number in numbers:
        child_process.send(running.process, number)
    stopped = running.ended()
    host.s3.heal()
    host.sqs.advance(700)
    rest = host.run("run", "--drain", "--json")

    assert (stopped.code, rest.code) == (0, 0)
    assert not json.loads(stopped.out)["sources"][0]["drained"]
    assert "stopped before" not in stopped.out
    assert host.arrived() == counted(wanted)
    assert host.sqs.bodies("trail") == []
    assert host.left() == []


@pytest.mark.slow
def test_a_second_sigterm_ends_it_at_once(host):
    announced(host, "s3", "", key("slow"))
    host.s3.fault("*", hang=True, times=-1)
    running = host.start("run")
    running.until(lambda: host.s3.log)

    child_process.send(running.process, signal.SIGTERM)
    time.sleep(1)
    still = running.process.poll()
    child_process.send(running.process, signal.SIGTERM)
    began = time.monotonic()
    running.ended()

    assert still is None
    assert time.monotonic() - began < 5
    assert host.left() == []


@pytest.mark.slow
def test_parked_work_ends_a_drain_at_its_timeout_with_what_waits_for_what(host):
    wanted = announced(host, "s3", "", key("fine"))
    announced(host, "s3", "", key("denied"))
    fault = host.s3.fault(key("denied"), code="AccessDenied", times=-1)

    result = host.run("run", "--drain", "--json", "--timeout", "4")
    host.s3.faults.clear()
    again = host.run("run", "--drain", "--json")

    assert fault.met > 0
    assert result.code == 69
    (prod,) = json.loads(result.out)["sources"]
    assert [(each["reason"], each["breaker"]) for each in prod["waiting"]] == [
        ("access-denied", f"bucket:prod:{BUCKET}/111122223333")
    ]
    last = result.err.splitlines()[-1]
    assert f"is parked (access-denied), s3://{BUCKET}/{key('denied')}: AccessDenied" in last
    assert "Allow `s3:GetObject`" in last
    # whoever repairs it and starts a drain need not wait for what is parked to be due
    assert again.code == 0
    assert host.arrived().total() == 2 * len(wanted)
