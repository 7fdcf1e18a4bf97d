"""What happened, as one named event each: its log line and its counter, in one place.

Events carry where and what as fields; never a record's content, never a secret.  Text from
outside is a field's value, so the renderer escapes it.
"""

import logging
import sys
import traceback
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

from trailcourier import metrics
from trailcourier.carrying import Count, Level
from trailcourier.facts import FACTS
from trailcourier.printable import printable
from trailcourier.repeats import Repeats


def configure(style: str, level: Level) -> None:
    """Write facts to standard error from *level* on: ``json``, ``console``, or by what it is."""
    _repeats.forget()
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


_repeats = Repeats()
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
    """Say that *event* happened, and count it; its name must be in FACTS."""
    told = FACTS[event]
    for each in told.counts:
        _count(each, fields)
    if told.alike is not None:
        key = (event, *(fields.get(name) for name in told.alike))
        if (left_out := _repeats.left_out(key)) is None:
            return
        if left_out:
            fields["repeats_left_out"] = left_out
    getattr(_log, told.level)(event, **fields)


def _count(what: Count, fields: Mapping[str, Any]) -> None:
    if any(fields.get(name) != value for name, value in what.only.items()):
        return
    names = metrics.METRICS[what.metric].labels
    labels = {name: what.fixed.get(name) or str(fields.get(name, "")) for name in names}
    metrics.count(what.metric, fields.get(what.by, 1), **labels)
