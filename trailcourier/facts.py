"""Every fact that is said, its line and what it counts; ``docs/logs.md`` is rendered from FACTS."""

from trailcourier.carrying import CARRYING, Count, Fact

FACTS: dict[str, Fact] = CARRYING | {
    # trouble
    "breaker_opened": Fact(
        "error",
        "Too many failures; this is left alone and probed.",
        ("source", "breaker", "why"),
        (Count("breakers_opened_total"),),
    ),
    "breaker_closed": Fact("info", "A success closed the breaker.", ("source", "breaker")),
    "sink_tried_again": Fact(
        "warning",
        "A sink did not take a batch; it is sent again in a moment.",
        ("sink", "tries", "why"),
        (Count("sink_retries_total"),),
        alike=("sink",),
    ),
    "version_denied": Fact(
        "warning",
        "Versions may not be read; the newest is read instead.",
        ("source", "bucket"),
        alike=("source", "bucket"),
    ),
    "read_by_boto3": Fact(
        "debug", "obstore could not, so boto3 read an object.", ("source", "object", "why")
    ),
    "bucket_region_differs": Fact(
        "warning",
        "The bucket is in another region than configured.",
        ("source", "bucket", "configured", "actual"),
        (Count("region_differs_total"),),
        alike=("source", "bucket"),
    ),
    # the processes
    "task_failed": Fact(
        "error",
        "A task could not do its work; it is done again later.",
        ("task", "why"),
        (Count("task_failures_total"),),
        alike=("task", "why"),
    ),
    "tick_dropped": Fact(
        "warning",
        "A tick waited for more than ten seconds, so it was dropped; the next one follows. Control "
        "workers were away, or are too few.",
        ("source", "task", "seconds"),
        (Count("ticks_dropped_total"),),
        alike=("source", "task"),
    ),
    "tick_held_back": Fact(
        "warning",
        "Two ticks of this kind wait in the broker already, so none was sent. Is a control worker "
        "running?",
        ("tick",),
        (Count("ticks_held_back_total"),),
        alike=("tick",),
    ),
    "tick_not_sent": Fact(
        "warning",
        "The broker did not take a tick; the next one follows.",
        ("tick", "why"),
        alike=("tick",),
    ),
    "heartbeat_failed": Fact(
        "warning",
        "This worker could not say that it is alive, to the ledger or in its heartbeat file.",
        ("why",),
        alike=("why",),
    ),
    "command_refused": Fact(
        "warning",
        "Somebody sent a command to the workers through the broker. They answer questions only.",
        ("command",),
        (Count("commands_refused_total"),),
        alike=(),
    ),
    "message_set_aside": Fact(
        "warning",
        "A message in the broker is no task of this version, so it was set aside in the list "
        "`trailcourier:1:celery:aside`. Who writes there?",
        ("queue", "bytes", "why"),
        (Count("messages_set_aside_total"),),
        alike=("queue",),
    ),
    "stopped_without_broker": Fact(
        "warning",
        "The broker did not answer while this worker stopped, so it ended without handing its work "
        "back. Others take it over.",
        ("seconds",),
    ),
    "claims_not_renewed": Fact(
        "warning", "The broker did not renew our claims.", ("error",), alike=("error",)
    ),
    "clock_skew": Fact(
        "warning", "This machine's clock differs from the broker's.", ("seconds_ahead",)
    ),
    "not_watchable": Fact(
        "warning",
        "Metrics and health cannot be served at their address: give each process of a host a port "
        "of its own (`workers.metrics_port`), or 0 for none.",
        ("address", "why"),
    ),
    "bug": Fact(
        "error",
        "Something nobody foresaw; please report it.",
        ("object", "error"),
        (Count("bugs_total"),),
    ),
    "filter_in_force": Fact("info", "What the source's filter drops.", ("source", "filter")),
}
