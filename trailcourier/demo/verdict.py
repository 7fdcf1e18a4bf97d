"""What the demo came to: the records by the output files, the messages by the queue."""

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
    "lost": "should have been delivered, and were not",
    "extra": "should not be there",
    "altered": "arrived with other bytes",
}


class Verdict(msgspec.Struct, frozen=True):
    """The *tally* of records, and what is wrong with what is left in the queue."""

    tally: Tally
    queue: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return self.tally.good and not self.queue

    @property
    def problems(self) -> tuple[str, ...]:
        return (*self.tally.problems, *self.queue)

    def line(self) -> str:
        """The tally as one line of JSON."""
        return msgspec.json.encode({name: getattr(self.tally, name) for name in COUNTED}).decode()

    def table(self) -> Table:
        """The tally for a person."""
        shown = Table(title="Every record, by what lies in the output files")
        shown.add_column("records")
        shown.add_column("count", justify="right")
        shown.add_column("")
        for name in COUNTED:
            count = getattr(self.tally, name)
            bad = count and name in {"lost", "extra", "altered"}
            style = "bold red" if bad else ""
            shown.add_row(name, f"{count:,}", _MEANING[name], style=style)
        return shown


def left_wrong(left: Sequence[str], held: Sequence[str]) -> list[str]:
    """What is wrong with the bodies *held* by a queue that must keep one with each of *left*."""
    problems = [
        f"the queue holds what should be settled: {ascii(body)[:120]}"
        for body in held
        if not any(part in body for part in left)
    ]
    for part in left:
        times = sum(part in body for body in held)
        if times != 1:
            problems.append(f"{times} messages in the queue have {part!a}, not 1")
    return problems
