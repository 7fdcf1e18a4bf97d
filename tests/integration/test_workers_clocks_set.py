"""Clocks that are set under a running fleet: nobody compares those of two hosts."""

import datetime as dt
import sys
import time

import pytest

from tests.fleet import Fleet, Worker, until
from tests.servers import valkey
from trailcourier import broker

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

    def __init__(self, folder, url):
        self.fleet = Fleet(folder, url)
        self.client = broker.connect(url)
        self.beat = self.start("beat", "-A", "beat", "beat")
        self.control = self.start("control", "-A", "tasks", "worker", "-Q", "control", "-l", "INFO")

    def start(self, host, *args):
        clock = self.fleet.folder / f"{host}.clock"
        clock.write_text("0")
        argv = [sys.executable, "-m", "tests.integration.trial_wall", *args]
        more = {"WALL_CLOCK": str(clock), "TZ": LOCAL, "AWS_EC2_METADATA_DISABLED": "true"}
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
        until(lambda: self.acted_on() >= before + POLLS, seconds=30, what=lambda: self.said)

    def acted_on(self):
        lines = self.control.said.splitlines()
        return sum("Task trailcourier.poll" in line and "succeeded" in line for line in lines)

    @property
    def said(self):
        return self.beat.said + self.control.said

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
