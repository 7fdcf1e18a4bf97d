"""The line: what happens between a message received and a message deleted.

poll -> forward -> settle, and maintenance for what these left open.  Plain functions of a Line;
the workers' tasks call them, and so do tests, without Celery.

Read ``poll``, ``queue``, ``forward``, ``read_ahead``, ``delivery``, ``sink_progress``, ``outcome``,
``settle`` and ``maintenance``, in this order.  The other modules serve these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trailcourier.clock import SYSTEM_CLOCK, Clock
from trailcourier.ledger import Ledger
from trailcourier.line.object_rules import ObjectRules
from trailcourier.line.process_limits import ProcessLimits
from trailcourier.models import Numbers
from trailcourier.records import LogLimits
from trailcourier.sinks import ConfiguredSink

if TYPE_CHECKING:  # AWS's libraries cost a second to import, and the clock does without them
    from trailcourier.aws.sqs import Queue
    from trailcourier.objects import Reader, Readers

RecordFilter = Callable[[Sequence[bytes]], Sequence[str | None]]
"""Filters records: for each, the name of the rule that drops it, or None to keep it."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One event source: its queue, ledger, reader and sinks, opened, and its settings.

    *process* is shared by all lines of the process; *log_limits* are those of one log file.
    """

    source: str
    queue: "Queue"
    ledger: Ledger
    reader: "Reader | Readers"
    configured_sinks: tuple[ConfiguredSink, ...]
    find_dropping_rules: RecordFilter
    process: ProcessLimits
    numbers: Numbers = field(default_factory=Numbers)
    log_limits: LogLimits = field(default_factory=LogLimits)
    rules: ObjectRules = field(default_factory=ObjectRules)
    clock: Clock = SYSTEM_CLOCK

    @property
    def sinks(self) -> tuple[str, ...]:
        """The names of the sinks, as breakers know them."""
        return tuple(sink.name for sink in self.configured_sinks)
