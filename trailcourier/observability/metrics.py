"""The Prometheus metrics; ``docs/metrics.md`` is rendered from the table METRICS.

Counters and histograms belong to the process that did the work: a query sums them over the fleet.
Gauges describe a source for the whole fleet, and every control worker exports the same ones: a
query takes the largest.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import msgspec

from trailcourier.once_cache import OnceCache

SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)
LAGS = (1, 2, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 14_400, 43_200, 86_400)


class Metric(msgspec.Struct, frozen=True):
    """One metric; its name in METRICS follows ``trailcourier_``."""

    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[str, ...] = ("source",)
    buckets: tuple[float, ...] = ()


METRICS: dict[str, Metric] = {
    # messages
    "messages_received_total": Metric("counter", "Messages received."),
    "messages_total": Metric(
        "counter", "Messages decoded, by the shape of their body.", ("source", "shape")
    ),
    "messages_settled_total": Metric(
        "counter",
        "Received messages by what became of them: `deleted` (every record was accepted or "
        "filtered), `discarded` (known to announce no log file), `left` (to the queue's redrive "
        "policy, because an object was refused), `refused` (not understood), and those that SQS "
        "redelivers: `refused-before`, `held-already` (leased already), `failed` (a bug), `full` "
        "(hidden in SQS: too many objects of its bucket are parked), `not-deleted`, `lost` (the "
        "lease), `given-up` (leased for twelve hours), `released` (released: its forwards were "
        "lost repeatedly), `not-admitted` (released at once: the broker was away, an error came, "
        "or the worker stopped). With the leased messages they add up to "
        "`messages_received_total`.",
        ("source", "outcome"),
    ),
    "messages_refused_total": Metric(
        "counter", "Messages that are not a known notification.", ("source", "reason")
    ),
    # objects and what is in them
    "objects_total": Metric(
        "counter",
        "Objects by their outcome. `parked` and `pending` count each attempt that ended so, the "
        "others count an object once for each message that names it. `unfinished` are those of "
        "released messages; `refused` with the reason `quarantined` are those refused before.",
        ("source", "disposition", "reason"),
    ),
    "duplicates_total": Metric(
        "counter",
        "Objects announced again after their delivery; they are not delivered again.",
    ),
    "records_read_total": Metric("counter", "Records of objects with a final outcome."),
    "records_total": Metric(
        "counter",
        "Records by their outcome at each sink: `delivered`, `filtered` (the reason is the rule) "
        "or `refused`. For each sink they add up to `records_read_total`.",
        ("source", "sink", "disposition", "reason"),
    ),
    "records_repaired_total": Metric(
        "counter", "Refused records that a later attempt delivered.", ("source", "sink")
    ),
    "records_truncated_total": Metric(
        "counter",
        "Records truncated, as the sink's `oversize` asks for.",
        ("source", "sink"),
    ),
    "bytes_read_total": Metric(
        "counter",
        "Bytes as S3 stores them, of objects whose records were sent, by the object's outcome.",
        ("source", "disposition", "reason"),
    ),
    "bytes_inflated_total": Metric(
        "counter",
        "Bytes of the same objects after decompression.",
        ("source", "disposition", "reason"),
    ),
    # how fast
    "delivery_lag_seconds": Metric(
        "histogram",
        "From a message's SentTimestamp to its deletion, by the worker's clock less SQS's.",
        buckets=LAGS,
    ),
    "event_lag_seconds": Metric(
        "histogram",
        "From the newest eventTime of a file to its delivery. AWS itself takes minutes to write "
        "the file. In large files, 32 of each thousand records are inspected.",
        buckets=LAGS,
    ),
    "object_seconds": Metric(
        "histogram", "From an object's claim to its outcome.", buckets=SECONDS
    ),
    "sink_seconds": Metric(
        "histogram",
        "The time a sink needs for one batch (`send`), with its retries, or to finish an object "
        "(`finish`).",
        ("sink", "step"),
        SECONDS,
    ),
    # leases
    "leases_extended_total": Metric("counter", "Leases that were extended."),
    "leases_lost_total": Metric(
        "counter",
        "Leases whose receipt SQS no longer knew. If there are more than a few, raise "
        "`line.expert.visibility`, or look for another consumer of the queue.",
        ("source", "error"),
    ),
    "leases_given_up_total": Metric(
        "counter", "Messages leased for the twelve hours that SQS allows; SQS redelivers them."
    ),
    "messages_released_total": Metric(
        "counter", "Messages released to the queue because their forwards were lost repeatedly."
    ),
    "forwards_again_total": Metric(
        "counter",
        "Objects dispatched again: `lost` with a worker or the broker, or `parked` and due.",
        ("source", "why"),
    ),
    # trouble
    "breakers_opened_total": Metric(
        "counter", "Circuit breakers that opened.", ("source", "breaker")
    ),
    "queue_failures_total": Metric(
        "counter", "Requests to SQS, or entries of a batch, that failed.", ("source", "error")
    ),
    "sink_retries_total": Metric("counter", "Batches sent again to a sink.", ("sink",)),
    "region_differs_total": Metric(
        "counter", "Buckets found in another region than the configuration says."
    ),
    "task_failures_total": Metric(
        "counter",
        "Tasks that failed; they run again, or their work is redispatched.",
        ("task",),
    ),
    "commands_refused_total": Metric(
        "counter", "Commands that came through the broker, such as `celery control shutdown`.", ()
    ),
    "messages_set_aside_total": Metric(
        "counter", "Messages in the broker that are no tasks of this version.", ("queue",)
    ),
    "ticks_dropped_total": Metric(
        "counter",
        "Ticks dropped because they waited for more than ten seconds. Control workers were away, "
        "or are too few.",
        ("source", "task"),
    ),
    "ticks_held_back_total": Metric(
        "counter",
        "Ticks that beat did not send because two of their kind waited already: no control worker "
        "takes them.",
        ("tick",),
    ),
    "bugs_total": Metric("counter", "Bugs in Trailcourier; please report them.", ()),
    # the status of a source, exported by control workers
    "queue_messages": Metric(
        "gauge", "Messages that wait in the queue; absent where SQS does not say."
    ),
    "messages_held": Metric("gauge", "Messages leased: received and not settled yet."),
    "oldest_message_seconds": Metric(
        "gauge",
        "Since the oldest leased message was sent, by the broker's clock less SQS's; 0 if none is.",
    ),
    "objects_in_flight": Metric("gauge", "Objects dispatched and without an outcome."),
    "objects_parked": Metric("gauge", "Objects that wait for something to recover."),
    "messages_left": Metric(
        "gauge",
        "Messages hidden in SQS because too many objects of their bucket and account are parked; "
        "they count as neither waiting nor leased.",
    ),
    "quarantine_entries": Metric("gauge", "Refused objects and messages in quarantine."),
    "quarantine_forgotten": Metric(
        "gauge",
        "Entries for which quarantine had no room since the ledger began: of `objects`, or of "
        "`messages`, which share an entry if they are alike.",
        ("source", "kind"),
    ),
    "object_threads": Metric("gauge", "Objects that all live workers can forward at once."),
    "last_success_timestamp_seconds": Metric(
        "gauge", "When the last object was delivered, as a Unix time; absent if none was."
    ),
    "breaker_open": Metric(
        "gauge",
        "1 while a circuit breaker is open: the work behind it is paused and probed. The reason is "
        "a row of [dispositions](dispositions.md).",
        ("source", "breaker", "reason"),
    ),
    "patience_used_ratio": Metric(
        "gauge",
        "The share of maxReceiveCount or of the queue's retention that the worst message has used: "
        "at 1 it is in the dead-letter queue, or gone. Absent where SQS does not say.",
    ),
    "sampled_timestamp_seconds": Metric(
        "gauge", "When these gauges were last updated, as a Unix time."
    ),
    # whether the line has stalled, exported by control and object workers
    "step_seconds": Metric(
        "gauge",
        "Since each step of the line left its trace: `tick`, `poll`, `forward` (of any source), "
        "`settle`, `maintenance`; absent if it never did.",
        ("source", "step"),
    ),
    "standstill": Metric(
        "gauge",
        "1 for each problem that stalls the source's line, as `trailcourier status` shows it, else "
        "0: [the kinds](operations.md#what-stands-still).",
        ("source", "kind"),
    ),
    "processes": Metric(
        "gauge", "Live processes of the fleet: `control`, `objects`, `beat`.", ("role",)
    ),
    "clock_ahead_seconds": Metric(
        "gauge",
        "By how much a process's clock is ahead of the broker's. `status` reports 5 s or more; "
        "Trailcourier decides nothing by it.",
        ("host", "process"),
    ),
}


def count(name: str, by: float = 1, **labels: str) -> None:
    """Add *by* to the counter *name*."""
    _bound(name, tuple(labels.items())).inc(by)


def observe(name: str, value: float, **labels: str) -> None:
    """Add *value* to the histogram *name*."""
    _bound(name, tuple(labels.items())).observe(value)


@contextmanager
def timed(name: str, **labels: str) -> Iterator[None]:
    """Observe the duration of the block, also if it raises."""
    began = time.perf_counter()
    try:
        yield
    finally:
        observe(name, time.perf_counter() - began, **labels)


_instruments = OnceCache()  # the registry accepts a name once


def _bound(name: str, labels: tuple[tuple[str, str], ...]) -> Any:
    """Return the instrument *name* for *labels*, created at its first use."""
    return _instruments.get((name, labels), lambda: _bind(name, labels))


def _bind(name: str, labels: tuple[tuple[str, str], ...]) -> Any:
    instrument = _instruments.get(name, lambda: _create(name))
    return instrument.labels(**dict(labels)) if METRICS[name].labels else instrument


def _create(name: str) -> Any:
    """Create the instrument *name*: on first use, so that start-up stays fast."""
    import prometheus_client  # noqa: PLC0415 - 50 ms, and every command imports this module

    metric, called = METRICS[name], f"trailcourier_{name}"
    match metric.kind:
        case "counter":
            return prometheus_client.Counter(called, metric.text, metric.labels)
        case "histogram":
            return prometheus_client.Histogram(
                called, metric.text, metric.labels, buckets=metric.buckets
            )
        case kind:
            raise TypeError(f"{name} is a {kind}: a collector exports it, not an instrument")
