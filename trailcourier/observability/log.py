"""Emits events: one call writes the log line of an event and counts it.

The fields of an event say where it happened and to what; they never hold a record's content or a
secret.  Text from outside is only ever the value of a field, so the renderer escapes it.
"""

import logging
import sys
import traceback
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

from trailcourier.observability import metrics
from trailcourier.observability.events import EVENTS
from trailcourier.observability.line_events import Count, Level
from trailcourier.observability.ratelimit import Repeats
from trailcourier.text import printable


def configure(style: str, level: Level) -> None:
    """Write events of *level* or above to standard error.

    *style* is ``json``, ``console``, or ``auto`` for console if standard error is a terminal.
    """
    _repeats.forget()
    structlog.configure(
        processors=[structlog.processors.add_log_level, _STAMP, *_renderers(style)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )


def adopt(style: str, level: int) -> None:
    """Write what libraries log, of *level* or above, in the format of events."""
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(style)],
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            _STAMP,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)


_repeats = Repeats()
_STAMP = structlog.processors.TimeStamper(fmt="iso", utc=True)


class _Lines:
    """Writes each event as one line to the current standard error."""

    def __init__(self, *_: object) -> None:
        """Accept and ignore the arguments that structlog gives a logger."""

    def msg(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    debug = info = warning = error = msg


def _renderers(style: str) -> list[structlog.typing.Processor]:
    if style == "console" or (style == "auto" and sys.stderr.isatty()):
        colors = sys.stderr.isatty()
        return [
            _escape,
            structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_traceback),
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _escape(_logger: object, _name: str, fields: EventDict) -> EventDict:
    """Escape control characters in text that may come from outside."""
    return {
        name: printable(value) if isinstance(value, str) else value
        for name, value in fields.items()
    }


def _traceback(output: TextIO, error: structlog.typing.ExcInfo) -> None:
    """Write a traceback without the values of variables, which may be secrets."""
    lines = "".join(traceback.format_exception(*error)).splitlines()
    output.write("".join(f"\n{printable(line)}" for line in lines))


_log = structlog.get_logger("trailcourier")


def emit(event: str, **fields: Any) -> None:
    """Log *event* and count it; its name must be in EVENTS."""
    spec = EVENTS[event]
    for each in spec.counts:
        _count(each, fields)
    if spec.alike is not None:
        key = (event, *(fields.get(name) for name in spec.alike))
        if (left_out := _repeats.left_out(key)) is None:
            return
        if left_out:
            fields["repeats_left_out"] = left_out
    getattr(_log, spec.level)(event, **fields)


def _count(counter: Count, fields: Mapping[str, Any]) -> None:
    if any(fields.get(name) != value for name, value in counter.only.items()):
        return
    names = metrics.METRICS[counter.metric].labels
    labels = {name: counter.fixed.get(name) or str(fields.get(name, "")) for name in names}
    metrics.count(counter.metric, fields.get(counter.by, 1), **labels)
