"""A log file that takes long to read: nobody takes it over, and no stop waits for its end."""

import gzip
import threading
import time

import pytest

from tests.integration.line.conftest import BUCKET, key
from trailcourier.line.forward import forward_object
from trailcourier.line.process_limits import ProcessLimits
from trailcourier.records import LogLimits
from trailcourier.settings import Source

MIB = 1024 * 1024
LIMITS = LogLimits(small=MIB)
SPACED = b'{"Records":[{"eventID":"1"},' + b" " * 8 * MIB + b'{"eventID":"2"}]}'  # 32 windows


def put(world, text):
    world.s3.put(BUCKET, key(1), gzip.compress(text, 1))
    world.announce(key(1))
    world.poll()
    return world.work.pop()


class Looked(threading.Event):
    """A stop that comes at the look *at*; each look calls *look*."""

    def __init__(self, at=0, look=lambda: None):
        super().__init__()
        self.at, self.look, self.looks = at, look, 0

    def is_set(self):
        self.looks += 1
        self.look()
        return bool(self.at) and self.looks >= self.at


@pytest.mark.parametrize("at", [10, 50], ids=["where it is checked", "where it is sent"])
def test_a_worker_that_stops_does_not_read_to_the_end(make, at):
    stopping = Looked(at)
    process = ProcessLimits(memory=96 << 20, claim=30, stall=300, stopping=stopping)
    world = make(process=process, log_limits=LIMITS)
    work = put(world, SPACED)

    left = forward_object(world.line, work, "task-1")

    assert left.status == "pending"
    assert stopping.looks == at
    stopping.at = 0
    assert world.delivered() == []
    world.maintenance()
    assert world.forward_all() == ["delivered"]
    assert world.delivered() == ["1", "2"]


def test_a_file_that_takes_longer_than_a_claim_lasts_is_not_taken_over(make):
    copies = []

    def look():
        time.sleep(0.2)  # as long as a window full of the smallest records takes
        if stopping.looks == 25:
            copies.append(world.forward(work, "another task").status)

    stopping = Looked(look=look)
    process = ProcessLimits(memory=96 << 20, claim=3, stall=5, stopping=stopping)
    world = make(process=process, log_limits=LIMITS, numbers={"claim": 3, "claim_stall": 5})
    work = put(world, SPACED)

    carried = forward_object(world.line, work, "task-1")

    assert copies == ["pending"]
    assert carried.status == "delivered"
    assert world.delivered() == ["1", "2"]


def test_a_file_of_too_many_records_is_refused_before_the_first_is_sent(make):
    world = make(log_limits=LogLimits(records=1000))
    work = put(world, b'{"Records":[' + b"{}," * 1000 + b"{}]}")

    assert world.forward(work).status == "refused"
    (entry,) = world.ledger.quarantine.entries()
    assert (entry.reason, world.delivered()) == ("too-large", [])


def test_how_many_records_a_file_may_have_is_a_setting_of_its_source():
    assert Source.model_fields["max_records"].default == LogLimits().records == 10_000_000
