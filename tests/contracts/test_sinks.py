"""The contract of every sink; ``ends.ENDS`` has one line for each."""

import itertools
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest
from pydantic import TypeAdapter

from tests.contracts.ends import ENDS
from tests.support import receiver
from trailcourier import sinks
from trailcourier.aws.network import Network
from trailcourier.errors import Fault, Rejected
from trailcourier.host import child_process
from trailcourier.models import ObjectRef, Origin
from trailcourier.reasons import REASONS
from trailcourier.sinks import stdout
from trailcourier.sinks.batches import deliver

ROOT = Path(__file__).parents[2]
KEY = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23/111122223333_a.json.gz"
COURIER = (sys.executable, "-m", "tests.contracts.courier")
AWKWARD = [
    b'{"eventID":"1","n":1.0,"big":12345678901234567890}',
    '{"eventName":"Zür­ich\u2028\u0085 雪 \U0001f300"}'.encode(),
    rb'{"eventName":"\u00e9\n\\","eventName":"twice"}',
    b'{ "spaces" :\t[ ] }',
    b'{"long":"' + b"x" * 1_048_000 + b'"}',
    b"{}",
]


@pytest.fixture(params=ENDS)
def end(request, tmp_path):
    with ENDS[request.param](tmp_path) as ready:
        yield ready


def only(*, commits):
    """Parametrize with the ends whose sinks commit by batch, or by object."""
    names = [name for name in ENDS if (name.startswith("file")) == (commits == "object")]
    return pytest.mark.parametrize("end", names, indirect=True)


@pytest.fixture
def sink(end):
    opened = open_sink(end.config)
    yield opened
    opened.close()


def parse(config):
    known, _ = get_args(sinks.SinkConfig)
    return TypeAdapter(known | receiver.Receiver).validate_python(config)


def open_sink(config):
    return sinks.open_sink("archive", parse(config), Network())


def origin(key=KEY):
    return Origin("prod", ObjectRef("acme-cloudtrail", key), f"etag-of-{key}")


def records(count, name="a"):
    return [b'{"eventID":"%b-%d"}' % (name.encode(), n) for n in range(count)]


def carry(sink, batches, key=KEY):
    delivery = sink.start(origin(key))
    try:
        for batch in batches:
            delivery.send(batch)
        delivery.finish()
    finally:
        delivery.drop()


def courier(end, objects, *more):
    """Start a process that delivers *objects*, and waits for a line after each batch."""
    texts = [[key, [[r.decode() for r in b] for b in batches]] for key, batches in objects]
    return child_process.start(
        [*COURIER, json.dumps(end.config), json.dumps(texts), *more],
        environment={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": tempfile.gettempdir()},
        stdin=subprocess.PIPE,
        stdout=stdout.FD,
        stderr=subprocess.PIPE,
    )


def ended(process):
    _, error = process.communicate(b"\n" * 10_000, timeout=60)
    status = child_process.reap(process)
    assert status == 0, error.decode()


def test_records_arrive_byte_for_byte_and_in_order(end, sink):
    carry(sink, [AWKWARD[:2], AWKWARD[2:]])

    assert end.arrived() == AWKWARD


def test_many_batches_arrive_in_order(end, sink):
    sent = records(1000)

    carry(sink, [sent[at : at + 7] for at in range(0, 1000, 7)])

    assert end.arrived() == sent


@pytest.mark.parametrize("batches", [[], [[]]], ids=["no-batch", "an-empty-batch"])
def test_an_object_without_records_is_delivered_with_none(end, sink, batches):
    carry(sink, batches)

    assert end.arrived() == []


def test_threads_deliver_at_the_same_time_without_mixing(end, sink):
    objects = {f"logs/{n}.json.gz": records(60, f"object-{n}") for n in range(16)}

    with ThreadPoolExecutor(8) as pool:
        for done in [
            pool.submit(carry, sink, [sent[:20], sent[20:40], sent[40:]], key)
            for key, sent in objects.items()
        ]:
            done.result(timeout=60)

    arrived = end.arrived()
    assert sorted(arrived) == sorted(itertools.chain(*objects.values()))
    for sent in objects.values():
        for at in range(0, 60, end.keeps):
            some = sent[at : at + end.keeps]
            assert [each for each in arrived if each in set(some)] == some


def test_processes_deliver_at_the_same_time_without_mixing(end):
    large = b'{"eventID":"%b","pad":"' + b"x" * 3000 + b'"}'
    batches = {
        f"logs/{n}.json.gz": [[large % b"%d-%d-%d" % (n, b, r) for r in range(5)] for b in range(8)]
        for n in range(3)
    }

    for process in [courier(end, [each]) for each in batches.items()]:
        ended(process)

    arrived = end.arrived()
    assert sorted(arrived) == sorted(r for b in batches.values() for batch in b for r in batch)


def test_a_sink_opened_before_a_fork_serves_the_children(end):
    objects = [(f"logs/{n}.json.gz", [records(20, str(n)), records(20, f"{n}b")]) for n in range(3)]

    ended(courier(end, objects, "fork"))

    expected = [record for _, batches in objects for batch in batches for record in batch]
    assert sorted(end.arrived()) == sorted(expected)


@only(commits="object")
def test_no_record_arrives_before_the_delivery_is_finished(end, sink):
    delivery = sink.start(origin())

    delivery.send(records(10))

    assert end.arrived() == []
    delivery.drop()


@only(commits="object")
def test_a_dropped_delivery_leaves_nothing(end, sink):
    delivery = sink.start(origin())
    delivery.send(records(10))

    delivery.drop()
    delivery.drop()

    assert [path for path in end.folder.rglob("*") if path.is_file()] == []


@only(commits="batch")
def test_a_sent_batch_stays_after_the_delivery_is_dropped(end, sink):
    delivery = sink.start(origin())
    delivery.send(records(10))

    delivery.drop()
    delivery.drop()

    assert end.arrived() == records(10)


def test_dropping_a_finished_delivery_changes_nothing(end, sink):
    delivery = sink.start(origin())
    delivery.send(records(3))
    delivery.finish()

    delivery.drop()

    assert end.arrived() == records(3)


def test_a_sink_can_be_closed_twice_and_opened_again(end, sink):
    carry(sink, [records(3)], "logs/1.json")
    sink.close()
    sink.close()

    again = open_sink(end.config)
    carry(again, [records(3, "b")], "logs/2.json")
    again.close()

    assert sorted(end.arrived()) == sorted(records(3) + records(3, "b"))


def test_a_failing_sink_has_a_reason_of_its_breaker(end, sink):
    with end.broken(), pytest.raises(Fault) as raised:
        carry(sink, [records(3)])

    assert not isinstance(raised.value, Rejected)
    assert REASONS[raised.value.reason].status == "parked"
    assert REASONS[raised.value.reason].breaker == "sink"
    assert raised.value.where == "archive"


def test_after_a_failure_the_retry_arrives_whole(end, sink):
    with end.broken(), pytest.raises(Fault):
        carry(sink, [records(3)])

    carry(sink, [records(3)])

    assert end.arrived() == records(3)


@only(commits="object")
def test_a_try_killed_between_two_batches_leaves_nothing_and_the_next_is_whole(end, sink):
    first, second = records(50), records(50, "b")
    process = courier(end, [(KEY, [first, second])])
    assert process.stderr.readline() == b"sent\n"

    child_process.kill(process)

    assert end.arrived() == []
    carry(sink, [first, second])
    assert end.arrived() == first + second


@only(commits="batch")
def test_a_try_killed_between_two_batches_leaves_the_first_and_the_next_goes_on(end, sink):
    first, second = records(50), records(50, "b")
    process = courier(end, [(KEY, [first, second])])
    assert process.stderr.readline() == b"sent\n"

    child_process.kill(process)

    carry(sink, [second])
    assert sorted(end.arrived()) == sorted(first + second)


@only(commits="object")
def test_two_concurrent_tries_of_one_object_write_one_file_with_the_same_bytes(end, sink):
    one, other = sink.start(origin()), sink.start(origin())
    for delivery in (one, other):
        delivery.send(records(5))
        delivery.send(records(5, "b"))

    one.finish()
    (path,) = end.files()
    before = path.read_bytes()
    other.finish()

    assert [path for path in end.folder.rglob("*") if path.is_file()] == [path]
    assert path.read_bytes() == before
    assert end.arrived() == records(5) + records(5, "b")


def test_an_oversized_record_is_refused_and_the_others_arrive(end):
    strict = open_sink({**end.config, "max_record_bytes": 1024})
    sent = list(enumerate([b'{"n":1}', b'{"pad":"' + b"x" * 2000 + b'"}', b'{"n":3}']))
    delivery = strict.start(origin())

    taken = list(deliver(delivery, sent, strict.settings))
    delivery.finish()
    strict.close()

    assert end.arrived() == [b'{"n":1}', b'{"n":3}']
    refused = [(r.ordinal, r.reason) for each in taken for r in each.refused]
    assert refused == [(1, "record-too-large")]


@pytest.mark.parametrize("end", ["insightidr-webhook", "receiver"], indirect=True)
def test_a_rejected_batch_is_bisected_and_all_but_the_rejected_records_arrive(end, sink):
    end.reject(b"poison")
    sent = [b'{"n":%d%b}' % (n, b',"x":"poison"' if n in {3, 64} else b"") for n in range(100)]

    taken = list(deliver(sink.start(origin()), list(enumerate(sent)), sink.settings))

    assert end.arrived() == [record for record in sent if b"poison" not in record]
    assert [r.ordinal for each in taken for r in each.refused] == [3, 64]
    assert taken[-1].next == 100


@pytest.mark.parametrize("end", ["insightidr-webhook", "receiver"], indirect=True)
@pytest.mark.parametrize("count", [1, 100])
def test_a_sink_that_rejects_everything_is_at_fault_itself(end, sink, count):
    end.reject(b"{")
    sent = list(enumerate(records(count)))

    with pytest.raises(Fault) as raised:
        list(deliver(sink.start(origin()), sent, sink.settings))

    reason = REASONS[raised.value.reason]
    assert raised.value.reason == "sink-rejects-all"
    assert (reason.status, reason.breaker) == ("parked", "sink")
    assert end.arrived() == []
    end.reject(b"nothing has this in it")
    list(deliver(sink.start(origin()), sent, sink.settings))
    assert end.arrived() == records(count)
