"""The insightidr sink into a real rsyslogd, killed by its pid at bad moments and started again."""

import itertools
import random
import threading

import pytest

from tests.support.rsyslog import HOST, Rsyslog
from trailcourier import sinks
from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef, Origin
from trailcourier.sinks.batches import deliver
from trailcourier.sinks.insightidr import Collector

ORIGIN = Origin("prod", ObjectRef("acme-cloudtrail", "a.json.gz"), "etag")
AWKWARD = [
    b'{"eventID":"1","n":1.0,"big":12345678901234567890}',
    '{"eventName":"Zür­ich\u2028\u0085 雪 \U0001f300"}'.encode(),
    rb'{"eventName":"\u00e9\n\\","eventName":"twice"}',
    b'{ "spaces" :\t[ ] }',
    b'{"long":"' + b"x" * 1_048_000 + b'"}',
    b"{}",
]


def records(name, count=1000):
    return [b'{"eventID":"%d-%d","pad":"%s"}' % (name, n, b"x" * 900) for n in range(count)]


@pytest.fixture(params=["plain", "tls"])
def rsyslog(request, tmp_path):
    running = Rsyslog(tmp_path / "rsyslog", encrypted=request.param == "tls")
    running.start()
    yield running
    running.kill()


@pytest.fixture
def sink_to():
    opened = []

    def sink_to(rsyslog, **settings):
        trusted = {"ca_file": rsyslog.folder / "ca.pem"} if rsyslog.encrypted else {"tls": False}
        config = Collector(
            type="insightidr",
            way="collector",
            host=HOST,
            port=rsyslog.port,
            **{**trusted, "retry_attempts": 1, "timeout_seconds": 10, **settings},
        )
        opened.append(sinks.open_sink("siem", config, Network()))
        return opened[-1]

    yield sink_to
    for each in opened:
        each.close()


def send(sink, batch):
    delivery = sink.start(ORIGIN)
    (piece,) = deliver(delivery, list(enumerate(batch)), sink.settings)
    delivery.finish()
    assert piece.delivered == len(batch)


each_way = pytest.mark.parametrize("accept_when", ["read", "acknowledged"])


@each_way
def test_records_are_kept_byte_for_byte(rsyslog, sink_to, accept_when):
    sink = sink_to(rsyslog, accept_when=accept_when)

    send(sink, AWKWARD[:2])
    send(sink, AWKWARD[2:])

    assert rsyslog.written(AWKWARD) == AWKWARD


@each_way
def test_a_collector_that_was_restarted_gets_the_next_batch_whole(rsyslog, sink_to, accept_when):
    sink = sink_to(rsyslog, accept_when=accept_when)
    send(sink, records(1))
    rsyslog.written(records(1))
    rsyslog.kill()
    with pytest.raises(Fault, match="sink-unreachable"):
        send(sink, records(2))

    rsyslog.start()
    send(sink, records(2))

    assert rsyslog.written(records(2)) == records(1) + records(2)


def test_a_collector_killed_before_it_read_a_batch_has_not_accepted_it(rsyslog, sink_to):
    sink = sink_to(rsyslog)
    rsyslog.freeze()
    threading.Timer(0.5, rsyslog.kill).start()  # its kernel has the batch by then

    with pytest.raises(Fault, match="sink-unreachable"):
        send(sink, records(1))

    rsyslog.start()
    send(sink, records(1))
    assert rsyslog.written(records(1)) == records(1)


def test_what_a_killed_collector_had_acknowledged_and_not_read_is_lost(rsyslog, sink_to):
    """What docs/sinks/insightidr.md says of `accept_when = "acknowledged"`."""
    sink = sink_to(rsyslog, accept_when="acknowledged")
    send(sink, records(1))
    rsyslog.written(records(1))
    rsyslog.freeze()

    send(sink, records(2, count=50))

    rsyslog.kill()
    rsyslog.start()
    send(sink, records(3))
    assert not set(records(2, count=50)) & set(rsyslog.written(records(3)))


def test_killed_at_random_it_misses_nothing_but_what_it_was_just_writing(rsyslog, sink_to):
    """A batch that was refused is sent again.

    Of those accepted, only the last before a kill may have been read and not yet written: no
    connection can show that.
    """
    sink, kills, sent, doubtful = sink_to(rsyslog), 5, 0, set()
    for _ in range(kills):
        killer = threading.Timer(random.uniform(0.02, 0.3), rsyslog.kill)
        killer.start()
        sent += until_refused(sink, sent)
        killer.join()
        doubtful.add(sent - 1)
        rsyslog.start()
        send(sink, records(sent))
        sent += 1

    written = set(rsyslog.written(records(sent - 1)))
    missed = {at for at in range(sent) if not written.issuperset(records(at))}
    assert sent > kills
    assert missed <= doubtful


def until_refused(sink, first):
    """Send batches from number *first* on; how many were accepted before one was not."""
    for at in itertools.count(first):
        try:
            send(sink, records(at))
        except Fault:
            return at - first
    raise AssertionError("unreachable")
