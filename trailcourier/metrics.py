"""What is counted and measured, for Prometheus; ``docs/metrics.md`` is rendered from this table.

Counters and histograms are of the process that did the work: a query sums them over the fleet.
Gauges tell how a source stands for the whole fleet (``sample``), and every control worker tells the
same: a query takes the largest.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import msgspec

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
    "messages_received_total": Metric("counter", "Messages that receives brought."),
    "messages_total": Metric(
        "counter", "Messages read, by the shape of their body.", ("source", "shape")
    ),
    "messages_settled_total": Metric(
        "counter",
        "What became of the messages received: `deleted` (every record was accepted or filtered), "
        "`discarded` (they positively announce no log), `left` (to the queue's redrive policy, for "
        "an object that was refused), `refused` (not understood), and what came again or will: "
        "`refused-before`, `held-already`, `failed`, `full` (too much of its bucket is parked), "
        "`not-deleted`, `lost`, `let-go`, `given-back`, `not-admitted` (given back at once, for "
        "the broker went away, an error came, or the worker was stopping). With those held now "
        "they sum up to `messages_received_total`.",
        ("source", "outcome"),
    ),
    "messages_refused_total": Metric(
        "counter", "Messages that announce nothing that is known.", ("source", "reason")
    ),
    # objects and what is in them
    "objects_total": Metric(
        "counter",
        "Objects by what became of them. `parked` and `pending` count each try that ended so, the "
        "others each naming of an object by a message once: `unfinished` are those of messages "
        "given back, and `refused` for the reason `quarantined` those that were refused before.",
        ("source", "disposition", "reason"),
    ),
    "duplicates_total": Metric(
        "counter", "Objects announced again after they were delivered; they are not sent again."
    ),
    "records_read_total": Metric("counter", "Records of objects that came to a final outcome."),
    "records_total": Metric(
        "counter",
        "What became of the records read, for each sink: `delivered`, `filtered` (the reason is "
        "the rule) or `refused`. For each sink they sum up to `records_read_total`.",
        ("source", "sink", "disposition", "reason"),
    ),
    "records_repaired_total": Metric(
        "counter", "Refused records that a later try delivered.", ("source", "sink")
    ),
    "records_truncated_total": Metric(
        "counter", "Records delivered cut to size, because the sink says so.", ("source", "sink")
    ),
    "bytes_read_total": Metric(
        "counter",
        "Bytes as S3 stores them, of objects whose records were sent, by what became of each.",
        ("source", "disposition", "reason"),
    ),
    "bytes_inflated_total": Metric(
        "counter",
        "Bytes of the same objects as text, once inflated.",
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
        "the file. Of large files, 32 records in each thousand are looked at.",
        buckets=LAGS,
    ),
    "object_seconds": Metric(
        "histogram", "From an object's claim to its outcome.", buckets=SECONDS
    ),
    "sink_seconds": Metric(
        "histogram",
        "What a sink takes for one batch (`send`), with its retries, or to make an object final "
        "(`finish`).",
        ("sink", "step"),
        SECONDS,
    ),
    # leases
    "leases_extended_total": Metric("counter", "Holds on messages that were extended."),
    "leases_lost_total": Metric(
        "counter",
        "Holds on messages that the queue no longer knew. More than a few: raise "
        "`line.visibility`, or look for a second reader of the queue.",
        ("source", "error"),
    ),
    "leases_let_go_total": Metric(
        "counter", "Messages held for as long as SQS allows, twelve hours; they come again."
    ),
    "messages_given_back_total": Metric(
        "counter", "Messages given back to the queue because their work was lost repeatedly."
    ),
    "forwards_again_total": Metric(
        "counter",
        "Objects dispatched again: `lost` with a worker or the broker, or `parked` and due.",
        ("source", "why"),
    ),
    # trouble
    "breakers_opened_total": Metric("counter", "Breakers that opened.", ("source", "breaker")),
    "queue_failures_total": Metric(
        "counter", "Calls of SQS, or entries of a batch, that failed.", ("source", "error")
    ),
    "sink_retries_total": Metric("counter", "Batches sent again to a sink.", ("sink",)),
    "region_differs_total": Metric(
        "counter", "Buckets found in another region than the configuration says."
    ),
    "task_failures_total": Metric(
        "counter", "Tasks that could not do their work; it is done again later.", ("task",)
    ),
    "commands_refused_total": Metric(
        "counter", "Commands that came through the broker, such as `celery control shutdown`.", ()
    ),
    "messages_set_aside_total": Metric(
        "counter", "Messages in the broker that are no tasks of this version.", ("queue",)
    ),
    "ticks_dropped_total": Metric(
        "counter",
        "Ticks of the clock that waited for more than ten seconds. Control workers were away, or "
        "are too few.",
        ("source", "task"),
    ),
    "ticks_held_back_total": Metric(
        "counter",
        "Ticks of the clock that were not sent, as two of their kind waited already: no control "
        "worker takes them.",
        ("tick",),
    ),
    "bugs_total": Metric("counter", "Errors that nobody foresaw; please report them.", ()),
    # how a source stands, told by control workers
    "queue_messages": Metric(
        "gauge", "Messages that wait in the queue; absent where SQS does not say."
    ),
    "messages_held": Metric("gauge", "Messages received and not settled yet."),
    "oldest_message_seconds": Metric(
        "gauge",
        "Since the oldest message held was sent, by the broker's clock less SQS's; 0 without any.",
    ),
    "objects_in_flight": Metric("gauge", "Objects given to workers and not done."),
    "objects_parked": Metric("gauge", "Objects that wait for an operator, or for time."),
    "messages_left": Metric(
        "gauge",
        "Messages left to the queue and hidden there, which count as neither waiting nor held: too "
        "many objects of their bucket and account are parked.",
    ),
    "quarantine_entries": Metric("gauge", "Refused objects and messages in quarantine."),
    "quarantine_forgotten": Metric(
        "gauge",
        "Entries that had no room in quarantine, since the ledger began: of `objects`, or of "
        "`messages`, where those that are alike have one entry.",
        ("source", "kind"),
    ),
    "object_threads": Metric("gauge", "Objects that all live workers can carry at once."),
    "last_success_timestamp_seconds": Metric(
        "gauge", "When the last object was delivered, as a Unix time; absent if none was."
    ),
    "breaker_open": Metric(
        "gauge",
        "1 while a breaker is open: what it names is left alone and probed. The reason is a row of "
        "[dispositions](dispositions.md).",
        ("source", "breaker", "reason"),
    ),
    "patience_used_ratio": Metric(
        "gauge",
        "The part of maxReceiveCount or of the queue's retention used by the worst message: at 1 "
        "it is in the dead-letter queue, or gone. Absent where SQS does not say.",
    ),
    "sampled_timestamp_seconds": Metric(
        "gauge", "When these gauges were last brought up to date, as a Unix time."
    ),
    # whether the line moves, told by control and object workers
    "step_seconds": Metric(
        "gauge",
        "Since each step of the line last did its work: `tick`, `poll`, `forward` (of any source), "
        "`settle`, `tend`; absent if it never did.",
        ("source", "step"),
    ),
    "standstill": Metric(
        "gauge",
        "1 for what keeps the source's line from moving, as `trailcourier status` judges it, else "
        "0: [the kinds](operations.md#what-stands-still).",
        ("source", "kind"),
    ),
    "processes": Metric(
        "gauge", "Live processes of the fleet: `control`, `objects`, `beat`.", ("role",)
    ),
    "clock_ahead_seconds": Metric(
        "gauge",
        "By how much a process's clock is ahead of the broker's. `status` says so from 5 s on; "
        "nothing is decided by it.",
        ("host", "process"),
    ),
}


def count(name: str, by: float = 1, **labels: str) -> None:
    """Count *name* up."""
    _bound(name, tuple(labels.items())).inc(by)


def measured(name: str, value: float, **labels: str) -> None:
    """Add *value* to the histogram *name*."""
    _bound(name, tuple(labels.items())).observe(value)


@contextmanager
def timed(name: str, **labels: str) -> Iterator[None]:
    """Measure what the block takes, however it ends."""
    began = time.perf_counter()
    try:
        yield
    finally:
        measured(name, time.perf_counter() - began, **labels)


_made: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}
_making = threading.RLock()  # the registry takes a name once, and a lost race would raise


def _bound(name: str, labels: tuple[tuple[str, str], ...]) -> Any:
    """The instrument called *name* for *labels*, made at its first use."""
    found = _made.get((name, labels))
    if found is None:
        with _making:
            found = _made.get((name, labels))
            if found is None:
                instrument = _instrument(name)
                found = instrument.labels(**dict(labels)) if METRICS[name].labels else instrument
                _made[name, labels] = found
    return found


@cache
def _instrument(name: str) -> Any:
    """The instrument called *name*; callers hold ``_making``.  Start-up stays fast without it."""
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
            raise TypeError(f"{name} is a {kind}: it is told by a collector, not by an instrument")
