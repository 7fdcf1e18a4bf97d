"""Replies and INFO of a broker that cannot serve."""

import re

import pytest
import redis

from tests.support import impaired, servers
from trailcourier.ledger import broker, redis_faults
from trailcourier.ledger.redis_faults import CAUSES, Impaired


@pytest.fixture
def running():
    with servers.valkey() as started:
        yield started


def error(line):
    """Return the error that redis-py raises for an error *line*."""
    return redis.connection.DefaultParser(1).parse_error(line)


FULL_6 = (
    "ERR Error running script (call to f_49eeace2bb16c8660781804056e2a7935329d1e6): "
    "@user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'."
)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
        ("OOM command not allowed when … script: 49ee, on @user_script:1.", "OOM"),
        (FULL_6, "OOM"),
        ("READONLY You can't write against a read only replica.", "READONLY"),
        (FULL_6.replace("OOM command", "READONLY You can't"), "READONLY"),
        ("UNBLOCKED force unblock from blocking operation, instance state changed", "UNBLOCKED"),
        ("MISCONF Redis is configured to save RDB snapshots, but …", "MISCONF"),
        ("MISCONF Errors writing to the AOF file: No space left on device", "MISCONF"),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is 'no'", "MASTERDOWN"),
        ("NOREPLICAS Not enough good replicas to write.", "NOREPLICAS"),
        ("BUSY Redis is busy running a script. You can only call SCRIPT KILL …", "BUSY"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "TRYAGAIN"),
        ("CLUSTERDOWN The cluster is down", "CLUSTERDOWN"),
        ("NOPERM User fleet has no permissions to run the 'brpop' command", "NOPERM"),
        ("ERR The user executing the script can't run this command … on @user_script:1.", "NOPERM"),
        ("ERR ACL failure in script: User u has no permissions to run the 'hset' …", "NOPERM"),
        (FULL_6.replace("-OOM command not", "The user executing the script can't"), "NOPERM"),
        ("DENIED Redis is running in protected mode …", "DENIED"),
    ],
)
def test_a_reply_of_a_broker_that_cannot_serve_is_a_lost_connection(line, code):
    found = redis_faults.as_impaired(error(line))

    assert isinstance(found, redis.ConnectionError)
    assert found.code == code
    assert str(found) == repr(found) == f"{CAUSES[code].text} ({line})"


@pytest.mark.parametrize(
    "line",
    [
        "ERR unknown command 'OOM'",
        "ERR value is not an integer or out of range",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "NOSCRIPT No matching script. Please use EVAL.",
        "BUSYGROUP Consumer Group name already exists",
        "EXECABORT Transaction discarded because of previous errors.",
    ],
)
def test_a_reply_about_the_request_is_not_a_lost_connection(line):
    assert redis_faults.as_impaired(error(line)) is None
    assert redis_faults.cause_of_error(error(line)) is None


@pytest.mark.parametrize(
    "line",
    ["NOAUTH Authentication required.", "WRONGPASS invalid username", "ERR invalid password"],
)
def test_a_login_that_was_not_accepted_has_its_cause(line):
    assert redis_faults.cause_of_error(error(line)) is CAUSES["WRONGPASS"]


def test_a_broker_that_loads_has_its_cause():
    assert redis_faults.cause_of_error(error("LOADING Redis is loading the dataset in memory")) is (
        redis_faults.LOADING
    )


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (impaired.full, r"its memory is full, .* \([\d,]+ of 1 bytes\)\. Raise maxmemory"),
        (impaired.replica, "a replica that has lost its primary. Give the URL of the primary"),
        (impaired.orphan, "a replica that has lost its primary. Give the URL of the primary"),
        (impaired.alone, "fewer replicas follow it than min-replicas-to-write"),
        (impaired.busy, r"a script has been running .* \(BUSY .*`SCRIPT KILL` ends"),
        (impaired.other_password, r"the password was not accepted \(.*\)\. Check the secret"),
    ],
)
def test_the_trouble_of_a_broker_is_named_with_what_to_do(running, state, words):
    with broker.connect(running.url) as client:
        with state(running):
            named = broker.describe_trouble(client)
        healed = broker.describe_trouble(client)

    assert named.startswith("broker 127.0.0.1:")
    assert re.search(words, named), named
    assert healed == ""


def test_a_broker_that_cannot_save_is_in_trouble_once_it_has_refused_a_write(running):
    with broker.connect(running.url) as client, impaired.unsaved(running):
        before = broker.describe_trouble(client)
        with pytest.raises(Impaired, match="MISCONF"):
            client.set("key", "value")

        assert before == ""  # saves may be nobody's business: it depends on its configuration
        assert "it cannot write to its disk" in broker.describe_trouble(client)


@pytest.mark.parametrize(
    ("info", "cause"),
    [
        ({"loading": 1}, redis_faults.LOADING),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, redis_faults.DISK),
        ({"aof_enabled": 0, "aof_last_write_status": "err"}, None),
        ({"role": "slave", "master_link_status": "up"}, redis_faults.REPLICA),
        ({"maxmemory": 100, "used_memory": 120, "maxmemory_policy": "allkeys-lru"}, None),
        ({"maxmemory": 100, "used_memory": 120, "mem_not_counted_for_evict": 30}, None),
        ({"min_slaves_good_slaves": 1}, None),
        ({}, None),
    ],
)
def test_info_shows_the_cause(info, cause):
    assert redis_faults.cause_in_info(info) is cause
