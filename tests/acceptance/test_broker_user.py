"""The broker's user of docs/security.md: it can do all that a fleet does, and no more."""

import json
import re
import signal
import sys
from pathlib import Path

import celery.backends.redis
import kombu.transport.redis
import pytest
import redis.client
import urllib3

from tests.support import announcements as say
from tests.support.fleet import until
from tests.support.host import counted
from tests.support.servers import free_port
from trailcourier.host import child_process
from trailcourier.ledger import broker

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/security.md"
PASSWORD = "of-the-fleet"
FOLDER = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23"
OTHERWISE = {  # a command and the method that sends it
    "del": "delete",
    "incrby": "incr",
    "script|load": "register_script",
    "script|exists": "load_scripts",
    "exec": "execute",
    "multi": "pipeline",
    "unwatch": "watch",
    "scan": "scan_iter",
    "hello": "execute_command",  # at every connection
    "brpop": "execute_command",
}
ADMIN = {
    "config|resetstat",
    "acl|setuser",
    "acl|log",
    "info",
    "hello",
    "client|setinfo",
    "shutdown",
}


@pytest.fixture
def rules():
    """What the page allows the user, as words of ACL SETUSER."""
    (line,) = re.findall(r"(?m)^user trailcourier ((?:.*\\\n)*.*)$", PAGE.read_text())
    return line.replace("\\\n", " ").split()


@pytest.fixture
def admin(configured_broker, rules):
    with broker.connect(configured_broker) as client:
        own = [word.replace(">PASSWORD", f">{PASSWORD}") for word in rules]
        client.execute_command("ACL", "SETUSER", "trailcourier", *own)
        client.config_resetstat()
        yield client


@pytest.fixture
def fleet(host, admin, configured_broker):
    """A host whose fleet has the user, with good and bad messages in its queue."""
    user = re.sub(r"//:[^@]*@", f"//trailcourier:{PASSWORD}@", configured_broker)
    host.configure(broker=user)
    host.environment["TRAILCOURIER_CONFIG"] = str(host.config)
    return host


def key(number):
    return f"{FOLDER}/111122223333_CloudTrail_us-east-1_20261123T0000Z_{number:016}.json.gz"


def announce(host, *numbers):
    records = [record for number in numbers for record in host.put(key(number))[1]]
    host.sqs.send("trail", say.own(*(key(number) for number in numbers)))
    return records


@pytest.fixture
def flower(fleet):
    """Flower's API."""
    port = free_port()
    argv = [sys.executable, "-m", "celery", "-A", "tasks", "flower", f"--port={port}"]
    environment = {**fleet.environment, "FLOWER_BASIC_AUTH": "me:secret"}
    process = child_process.start([*argv, "--address=127.0.0.1"], environment=environment)
    headers = urllib3.make_headers(basic_auth="me:secret")

    def ask(path):
        url = f"http://127.0.0.1:{port}/api/{path}"
        return urllib3.request("GET", url, headers=headers, timeout=20, retries=30).json()

    yield ask
    child_process.stop(process, grace=5)


def refused(admin):
    return [
        (entry["reason"], entry["object"])
        for entry in admin.acl_log()
        if entry["username"] == "trailcourier"
        and entry["object"] != "client|setinfo"  # Flower's client tells its name, and may not
    ]


def allowed(rules):
    return {rule[1:] for rule in rules if rule.startswith("+")}


def used(admin):
    """The commands that were called, as the ACL spells them."""
    names = (name.removeprefix("cmdstat_") for name in admin.info("commandstats"))
    return {name for name in names if name not in ADMIN}


def test_it_may_do_what_a_fleet_does_and_nothing_else(fleet, flower, admin, rules):
    wanted = announce(fleet, 1, 2, 3) + announce(fleet, 4)
    fleet.sqs.send("trail", "no JSON at all", say.own(key(9)))
    running = fleet.start("run")
    running.until(lambda: fleet.arrived() == counted(wanted))
    until(lambda: flower("workers?refresh=1"))
    flower("queues/length")
    until(lambda: flower("tasks"))
    fleet.run("status")
    running.until(lambda: "object_refused" in running.err)
    entries = json.loads(fleet.run("quarantine", "list", "--json").out)
    fleet.put(key(9))
    ids = {entry["kind"]: entry["id"] for entry in entries}
    shown = fleet.run("quarantine", "show", ids["object"])
    retried = fleet.run("quarantine", "retry", ids["object"])
    dropped = fleet.run("quarantine", "drop", ids["message"])
    child_process.send(running.process, signal.SIGTERM)
    ended = running.ended()

    assert refused(admin) == []
    assert [each.code for each in (shown, retried, dropped, ended)] == [0, 0, 0, 0]
    assert allowed(rules) >= used(admin)


def test_a_command_that_nobody_calls_is_not_in_the_list(rules):
    """What a quiet hour does not show is called somewhere: in our scripts, Kombu's or Celery's."""
    sources = [Path(kombu.transport.redis.__file__), Path(celery.backends.redis.__file__)]
    sources += [Path(redis.client.__file__)]
    sources += (ROOT / "trailcourier/ledger").glob("*.py")
    sources += (ROOT / "trailcourier/ledger/scripts").rglob("*.lua")
    sources += [ROOT / "tasks/transport.py", ROOT / "trailcourier/ledger/broker.py"]
    text = "".join(path.read_text() for path in sources).lower()
    calls = set(re.findall(r"""call\('([a-z]+)'|(?:client|own|pipe|c|self)\.([a-z_]+)\(""", text))
    called = {name for pair in calls for name in pair if name}

    unused = {name for name in allowed(rules) if not called & {name, OTHERWISE.get(name)}}

    assert unused == set()


def test_it_may_touch_no_key_of_others_and_change_no_setting(admin, fleet):
    url = fleet.environment["BROKER"]
    with broker.connect(url) as client:
        for command in (("SET", "others:1", "x"), ("FLUSHALL",), ("CONFIG", "SET", "port", "1")):
            with pytest.raises(Exception, match=r"permission"):
                client.execute_command(*command)
