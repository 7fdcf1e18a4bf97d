"""The exit statuses of commands; scripts and service managers rely on them.

A verb that a signal interrupts exits with the shell's status for it: 130 for Ctrl-C, 141 if the
reader of its output left.  A verb that runs until it is stopped exits with 0.  A demo that is
stopped exits with 1, because scripts take 0 as proof that no record was lost.
"""

from enum import IntEnum
from typing import Self

from typer.exceptions import Abort, TyperException

from trailcourier.errors import Broken, ConfigError, Fault, Unreachable


class Exit(IntEnum):
    """One row for each status; the numbers are those of sysexits.h."""

    meaning: str

    def __new__(cls, status: int, meaning: str) -> Self:
        row = int.__new__(cls, status)
        row._value_ = status
        row.meaning = meaning
        return row

    DONE = 0, "done, or cleanly stopped by a signal"
    NO = 1, "the answer is no: an error, a source that is paused or stalled, a failed retry or demo"
    USAGE = 64, "the command line is wrong"
    UNREACHABLE = 69, "the broker, AWS or a sink cannot be reached"
    BUG = 70, "a bug (`--debug` shows the traceback), or a process of `run` that keeps ending"
    CONFIG = 78, "the configuration is wrong"


_ROWS: tuple[tuple[type[BaseException], Exit], ...] = (
    (ConfigError, Exit.CONFIG),
    (Unreachable, Exit.UNREACHABLE),
    (Fault, Exit.UNREACHABLE),
    (Broken, Exit.BUG),  # a process of ours that keeps ending; its last words are there
    (Abort, Exit.NO),  # Ctrl-C
    (TyperException, Exit.USAGE),
)


def status(error: BaseException) -> Exit:
    """Return the exit status for *error*; any other class is a bug."""
    return next((exit_ for kind, exit_ in _ROWS if isinstance(error, kind)), Exit.BUG)
