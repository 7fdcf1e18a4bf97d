"""Clocks that are set under a running fleet: nobody compares those of two hosts."""

import asyncio
import datetime as dt
import gzip
import json
import sys
import time
from typing import ClassVar

import pytest

from tests.support.fleet import Fleet, Worker, until
from tests.support.s3_stub import S3Stub
from tests.support.servers import valkey
from tests.support.sqs_stub import SqsStub
from trailcourier.ledger import Ledger, broker
from trailcourier.ledger.workers import OBJECTS
from trailcourier.models import Numbers

HOUR = 3600.0
LOCAL = "CET-1CEST,M3.5.0,M10.5.0/3"
SUMMER = dt.datetime(2027, 3, 28, 1, tzinfo=dt.UTC).timestamp()
WINTER = dt.datetime(2027, 10, 31, 1, tzinfo=dt.UTC).timestamp()
POLLS = 7  # three are called for each second, and six may have been under way


def just_before(change):
    """How far ahead a clock is on which *change* comes in a second."""
    return change - time.time() - 1


STEPS = {
    "an hour back": lambda: -HOUR,
    "an hour on": lambda: HOUR,
    "thirteen hours on": lambda: 13 * HOUR,
    "thirteen hours back": lambda: -13 * HOUR,
    "25 s back": lambda: -25.0,
    "25 s on": lambda: 25.0,
    "into summer time": lambda: just_before(SUMMER),
    "out of summer time": lambda: just_before(WINTER),
}


class Hosts:
    """A host with beat, one with a control worker, and the broker's; each has a clock."""

    more: ClassVar = {}  # of the environment

    def __init__(self, folder, url, *stubs):
        self.fleet = Fleet(folder, url)
        self.client = broker.connect(url)
        if stubs:
            self.fleet.collect(*stubs)
        self.beat = self.start("beat", "-A", "beat", "beat")
        self.control = self.start("control", "-A", "tasks", "worker", "-Q", "control", "-l", "INFO")

    def start(self, host, *args):
        clock = self.fleet.folder / f"{host}.clock"
        clock.write_text("0")
        argv = [sys.executable, "-m", "tests.integration.trial_wall", *args]
        more = {"WALL_CLOCK": str(clock), "TZ": LOCAL, "AWS_EC2_METADATA_DISABLED": "true"}
        more |= self.more
        log = self.fleet.folder / f"{host}.log"
        self.fleet.started.append(Worker(argv, self.fleet.environment | more, log))
        return self.fleet.started[-1]

    def set(self, host, seconds):
        """Set the clock of one host to be so many seconds ahead."""
        if host == "broker":
            self.client.set("trailcourier:1:offset", int(seconds * 1000))
        else:
            clock = self.fleet.folder / f"{host}.clock"
            clock.with_suffix(".new").write_text(str(seconds))
            clock.with_suffix(".new").rename(clock)

    def await_polls(self):
        """Wait until ticks sent from now on were acted on; one that is dropped does not succeed."""
        before = self.acted_on()
        until(lambda: self.acted_on() >= before + POLLS, seconds=30, what=lambda: self.output)

    def acted_on(self):
        lines = self.control.output.splitlines()
        return sum("Task trailcourier.poll" in line and "succeeded" in line for line in lines)

    @property
    def output(self):
        return self.beat.output + self.control.output

    def close(self):
        self.client.close()
        self.fleet.close()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    with valkey() as running:
        hosts = Hosts(tmp_path_factory.mktemp("hosts"), running.url)
        try:
            hosts.await_polls()
            yield hosts
        finally:
            hosts.close()


# Redis TIME knows no summer
CASES = [(host, step) for host in ("beat", "control", "broker") for step in STEPS
         if host != "broker" or "summer" not in step]  # fmt: skip


@pytest.mark.parametrize(("host", "step"), CASES)
def test_a_clock_that_is_set_stops_nobody(hosts, host, step):
    hosts.set(host, STEPS[step]())
    try:
        hosts.await_polls()
    finally:
        hosts.set(host, 0.0)  # another step, under the next case

    assert not hosts.beat.ended
    assert not hosts.control.ended


class Carrying(Hosts):
    """The same, and a host with an object worker; what is announced is carried to a file."""

    more: ClassVar = {"WALL_PULSE": "0.2"}

    def __init__(self, folder, url, sqs, s3):
        super().__init__(folder, url, sqs, s3)
        self.sqs, self.s3, self.sent = sqs, s3, 0
        self.ledger = Ledger(self.client, "prod", Numbers())
        self.objects = self.start("objects", "-A", "tasks", "worker", "-Q", "objects", "-l", "INFO")

    def await_delivery(self, meanwhile=lambda: None):
        """Announce a file, and wait until it is delivered and its message is deleted.

        *meanwhile* is called when somebody has asked for the file and has no answer yet.
        """
        self.sent += 1
        body = b'{"Records":[{"eventID":"%d","eventName":"PutObject"}]}' % self.sent
        key = f"AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23/{self.sent}.json.gz"
        self.s3.put("acme-logs", key, gzip.compress(body))
        gate = asyncio.Event()
        self.s3.fault(key, gate=gate, times=1)
        self.sqs.send("trail", json.dumps({"s3Bucket": "acme-logs", "s3ObjectKey": [key]}))
        until(lambda: self.s3.reads()[key], what=lambda: self.output)
        meanwhile()
        self.s3.server.call(gate.set)
        until(
            lambda: not self.sqs.messages("trail"), what=lambda: self.output + self.objects.output
        )
        assert self.delivered() == self.sent
        assert self.s3.reads()[key] == 1

    def await_clock_ahead(self, seconds):
        """Wait until the ledger knows the object worker with a clock so many seconds ahead."""
        until(
            lambda: (
                [abs((each.presence.ahead or 0) - seconds) < 1 for each in self.alive()] == [True]
            ),
            what=lambda: f"{self.ledger.workers.list_processes()} {self.objects.output}",
        )

    def alive(self):
        return self.ledger.workers.list_processes().alive(OBJECTS)

    def delivered(self):
        return len(list(self.fleet.folder.glob("events/**/*.ndjson*")))


@pytest.fixture(scope="module")
def carrying(tmp_path_factory):
    with valkey() as running, SqsStub() as sqs, S3Stub() as s3:
        carrying = Carrying(tmp_path_factory.mktemp("carrying"), running.url, sqs, s3)
        try:
            carrying.await_delivery()
            yield carrying
        finally:
            carrying.close()


@pytest.mark.parametrize("step", STEPS)
def test_an_object_worker_whose_clock_is_set_carries_on(carrying, step):
    seconds = STEPS[step]()

    def take_step():
        carrying.set("objects", seconds)
        carrying.await_clock_ahead(seconds)

    try:
        carrying.await_delivery(take_step)
        carrying.await_delivery()
    finally:
        carrying.set("objects", 0.0)

    assert not carrying.objects.ended
    assert "object_parked" not in carrying.objects.output
