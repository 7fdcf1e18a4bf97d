"""Every log event, its fields and counters; ``docs/logs.md`` is rendered from EVENTS."""

from trailcourier.observability.line_events import LINE_EVENTS, Count, LogEvent

EVENTS: dict[str, LogEvent] = LINE_EVENTS | {
    # trouble
    "breaker_opened": LogEvent(
        "error",
        "Too many failures opened a circuit breaker: the work behind it is paused and probed. "
        "`trailcourier status` says what to do.",
        ("source", "breaker", "why"),
        (Count("breakers_opened_total"),),
    ),
    "breaker_closed": LogEvent(
        "info",
        "A success closed the circuit breaker; the work behind it goes on.",
        ("source", "breaker"),
    ),
    "sink_tried_again": LogEvent(
        "warning",
        "A sink did not accept a batch; it is sent again in a moment.",
        ("sink", "tries", "why"),
        (Count("sink_retries_total"),),
        alike=("sink",),
    ),
    "version_denied": LogEvent(
        "warning",
        "AWS denies reading a version of an object, so the newest is read. Allow "
        "`s3:GetObjectVersion`.",
        ("source", "bucket"),
        alike=("source", "bucket"),
    ),
    "read_by_boto3": LogEvent(
        "debug", "obstore failed to read an object, so boto3 read it.", ("source", "object", "why")
    ),
    "bucket_region_differs": LogEvent(
        "warning",
        "The bucket is in another region than configured. Correct `bucket_region`.",
        ("source", "bucket", "configured", "actual"),
        (Count("region_differs_total"),),
        alike=("source", "bucket"),
    ),
    # the processes
    "task_failed": LogEvent(
        "error",
        "A task failed; it runs again with the next tick, or its work is dispatched again.",
        ("task", "why"),
        (Count("task_failures_total"),),
        alike=("task", "why"),
    ),
    "tick_dropped": LogEvent(
        "warning",
        "A tick waited for more than ten seconds, so it was dropped; the next one follows. Control "
        "workers were away or are too few: start one more.",
        ("source", "task", "seconds"),
        (Count("ticks_dropped_total"),),
        alike=("source", "task"),
    ),
    "tick_held_back": LogEvent(
        "warning",
        "Two ticks of this kind wait in the broker already, so none was sent. See that a control "
        "worker runs.",
        ("tick",),
        (Count("ticks_held_back_total"),),
        alike=("tick",),
    ),
    "tick_not_sent": LogEvent(
        "warning",
        "The broker did not accept a tick; the next one follows.",
        ("tick", "why"),
        alike=("tick",),
    ),
    "heartbeat_failed": LogEvent(
        "warning",
        "This process could not report that it is alive to the ledger, its heartbeat file or "
        "systemd.",
        ("why",),
        alike=("why",),
    ),
    "command_refused": LogEvent(
        "warning",
        "A command for the workers came through the broker and was refused: they only answer "
        "inspections. Find who sends it.",
        ("command",),
        (Count("commands_refused_total"),),
        alike=(),
    ),
    "message_set_aside": LogEvent(
        "warning",
        "A message in the broker is no task of this version, so it was moved to the list "
        "`trailcourier:1:celery:aside`. Find who writes to this queue.",
        ("queue", "bytes", "why"),
        (Count("messages_set_aside_total"),),
        alike=("queue",),
    ),
    "stopped_without_broker": LogEvent(
        "warning",
        "The broker did not answer while this worker stopped, so it ended without releasing its "
        "work. Other workers take it over once its claims expire.",
        ("seconds",),
    ),
    "claims_not_renewed": LogEvent(
        "warning",
        "The broker did not renew the claims of this worker; if that lasts, other workers take its "
        "objects over.",
        ("error",),
        alike=("error",),
    ),
    "clock_skew": LogEvent(
        "warning",
        "This host's clock differs from the broker's: synchronise both with NTP.",
        ("seconds_ahead",),
    ),
    "not_watchable": LogEvent(
        "warning",
        "Metrics and health cannot be served at their address: give each process of a host a port "
        "of its own (`workers.metrics_port`), or 0 for none.",
        ("address", "why"),
    ),
    "bug": LogEvent(
        "error",
        "A bug in Trailcourier; please report it.",
        ("object", "error"),
        (Count("bugs_total"),),
    ),
    "filter_in_force": LogEvent(
        "info", "The records that the filter of the source drops.", ("source", "filter")
    ),
}
