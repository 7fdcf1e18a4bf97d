"""What happened, as one named event each: its log line, in one place.

Events carry where and what as fields; never a record's content, never a secret.  Text from
outside is a field's value, so the renderer escapes it.
"""

import logging
import sys
import traceback
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict

from trailcourier.printable import printable

Level = Literal["debug", "info", "warning", "error"]

FACTS: dict[str, tuple[Level, str]] = {
    "messages_received": ("debug", "A receive brought messages."),
    "message_not_understood": ("warning", "A message announces nothing that is known; it stays."),
    "message_discarded": ("info", "A message that positively announces no log was deleted."),
    "message_quarantined_before": ("debug", "A refused message came back and was not read again."),
    "messages_deleted": ("debug", "Messages were deleted: every record was accepted."),
    "message_left": ("warning", "A message stays for the queue's redrive policy to take."),
    "message_given_back": ("warning", "A message was given back: its work was lost repeatedly."),
    "lease_lost": ("warning", "The queue no longer knows our hold on a message."),
    "lease_let_go": ("warning", "A message was held as long as SQS allows; it will come again."),
    "queue_failed": ("error", "The queue did not do what was asked."),
    "degraded": ("warning", "Visibility cannot be changed; messages are received for longer."),
    "poll_held_up": ("debug", "Nothing was received: there is no room, or a breaker is open."),
    "objects_skipped": ("info", "Announced objects that carry no events."),
    "skips_in_a_row": ("warning", "Only skips of one reason for a long time: is this intended?"),
    "object_delivered": ("info", "Every record was accepted by every sink, or filtered."),
    "object_skipped": ("info", "An object had nothing to carry."),
    "object_parked": ("warning", "An object could not be carried now; it is tried again."),
    "object_refused": ("error", "An object cannot be carried; its message stays in the queue."),
    "object_pending": ("debug", "An object is not done, and nobody's fault."),
    "object_overtaken": ("warning", "Another copy of this work took over; this one stops."),
    "forwards_again": ("warning", "Lost or parked objects were dispatched again."),
    "breaker_opened": ("error", "Too many failures; this is left alone and probed."),
    "breaker_closed": ("info", "A success closed the breaker."),
    "sink_tried_again": ("warning", "A sink did not take a batch; it is sent again in a moment."),
    "version_denied": ("warning", "Versions may not be read; the newest is read instead."),
    "read_by_boto3": ("debug", "obstore could not, so boto3 read an object."),
    "task_failed": ("error", "A task could not do its work; it is done again later."),
    "tick_not_sent": ("warning", "The broker did not take a tick; the next one follows."),
    "heartbeat_failed": ("warning", "The ledger could not be told that this worker is alive."),
    "bucket_region_differs": ("warning", "The bucket is in another region than configured."),
    "claims_not_renewed": ("warning", "The broker did not renew our claims."),
    "clock_skew": ("warning", "This machine's clock differs from the broker's."),
    "bug": ("error", "Something nobody foresaw; please report it."),
    "filter_in_force": ("info", "What the source's filter drops."),
}


def configure(style: str, level: Level) -> None:
    """Write facts to standard error from *level* on: ``json``, ``console``, or by what it is."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, _STAMP, *_ends(style)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )


def adopt(style: str, level: int) -> None:
    """Write what libraries log, from *level* on, as facts are written."""
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ends(style)],
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            _STAMP,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)


_STAMP = structlog.processors.TimeStamper(fmt="iso", utc=True)


class _Lines:
    """Writes each fact as one line to what is standard error at the time."""

    def __init__(self, *_: object) -> None:
        """Take whatever structlog gives a logger."""

    def msg(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    debug = info = warning = error = msg


def _ends(style: str) -> list[structlog.typing.Processor]:
    if style == "console" or (style == "auto" and sys.stderr.isatty()):
        colors = sys.stderr.isatty()
        return [
            _harmless,
            structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_traceback),
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _harmless(_logger: object, _name: str, fields: EventDict) -> EventDict:
    """Escape what would act on a terminal, in text that may come from outside."""
    return {
        name: printable(value) if isinstance(value, str) else value
        for name, value in fields.items()
    }


def _traceback(output: TextIO, error: structlog.typing.ExcInfo) -> None:
    """Write a plain traceback: one that shows the values of variables would show secrets."""
    lines = "".join(traceback.format_exception(*error)).splitlines()
    output.write("".join(f"\n{printable(line)}" for line in lines))


_log = structlog.get_logger("trailcourier")


def fact(event: str, **fields: Any) -> None:
    """Say that *event* happened; its name must be in FACTS."""
    level, _ = FACTS[event]
    getattr(_log, level)(event, **fields)
