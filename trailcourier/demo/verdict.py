"""The demo's verdict: the records by the output files, the messages by the queue."""

from collections.abc import Sequence

import msgspec
from rich.table import Table

from trailcourier.demo.manifest import Tally

COUNTED = ("written", "delivered", "filtered", "refused", "duplicates", "lost", "extra", "altered")
_MEANING = {
    "written": "records in the simulated log files",
    "delivered": "found in the output files, byte for byte",
    "filtered": "dropped by the default rule: reads by AWS services",
    "refused": "in files that were damaged on purpose",
    "duplicates": "found more often than they were written",
    "lost": "not delivered, but should be",
    "extra": "delivered, but should not be",
    "altered": "delivered with other bytes",
}


class DemoVerdict(msgspec.Struct, frozen=True):
    """The *tally* of records, and the problems of what is left in the *queue*."""

    tally: Tally
    queue: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return self.tally.good and not self.queue

    @property
    def problems(self) -> tuple[str, ...]:
        return (*self.tally.problems, *self.queue)

    def line(self) -> str:
        """Return the tally as one line of JSON."""
        return msgspec.json.encode({name: getattr(self.tally, name) for name in COUNTED}).decode()

    def table(self) -> Table:
        """Return the tally as a table."""
        shown = Table(title="Every record, compared with the output files")
        shown.add_column("records")
        shown.add_column("count", justify="right")
        shown.add_column("")
        for name in COUNTED:
            count = getattr(self.tally, name)
            bad = count and name in {"lost", "extra", "altered"}
            style = "bold red" if bad else ""
            shown.add_row(name, f"{count:,}", _MEANING[name], style=style)
        return shown


def queue_problems(kept_marks: Sequence[str], bodies: Sequence[str]) -> list[str]:
    """Return the problems of a queue with *bodies* that must keep one with each of *kept_marks*."""
    problems = [
        f"the queue holds a message that should be deleted: {ascii(body)[:120]}"
        for body in bodies
        if not any(mark in body for mark in kept_marks)
    ]
    for mark in kept_marks:
        count = sum(mark in body for body in bodies)
        if count != 1:
            problems.append(f"{count} messages in the queue contain {mark!a}, not 1")
    return problems
