"""Doctor over the source that setup wrote: it reads a log file and sends a test record."""

import math
import sys
from collections.abc import Sequence
from typing import Literal

import msgspec
from rich.console import Console

from trailcourier import doctor, wiring
from trailcourier.cli import output
from trailcourier.cli.sources import quiet
from trailcourier.doctor import Finding, Shared
from trailcourier.host import launch
from trailcourier.settings import Settings

_READ_A_FILE, _SENT_A_RECORD = "TC606", "TC902"
_NO_FILE_YET = frozenset({"TC605", "TC702"})  # doctor cannot know that the set-up is new


class ProofFinding(msgspec.Struct, frozen=True):
    """A finding of doctor that a person has to know: no finding of what is as it should be."""

    level: Literal["not-checked", "warning", "error"]
    id: str
    text: str
    fix: str


class Proof(msgspec.Struct, frozen=True):
    """What doctor found, and whether it read a log file and a sink accepted a test record."""

    findings: tuple[ProofFinding, ...] = ()
    read_file: bool = False
    sent_record: bool = False

    @property
    def good(self) -> bool:
        return all(each.level != "error" for each in self.findings)


def examine(loaded: Settings, source: str, *, send: bool, without_files: bool) -> Proof:
    """Check *source* as `trailcourier doctor` does, with the source's own credentials.

    With *send* each sink gets a test record, which is marked as such. *without_files* says that no
    log file was written yet, so that doctor's findings of that are left out.
    """
    found = launch.with_running_broker(quiet(loaded))
    wiring.configure(found)
    with output.progress(Console(stderr=True), math.inf) as show:
        reported = doctor.examine(
            Shared(found, send=send), [source], lambda what: show(f"checking {what}")
        )
        findings = [each.finding for each in reported]
    ignored = _NO_FILE_YET if without_files else frozenset[str]()
    return Proof(
        findings=tuple(
            ProofFinding(each.level, each.id, each.text, each.fix)
            for each in findings
            if each.level in {"warning", "error"} and each.id not in ignored
        ),
        read_file=_is_ok(findings, _READ_A_FILE),
        sent_record=_is_ok(findings, _SENT_A_RECORD),
    )


def _is_ok(findings: Sequence[Finding], id_: str) -> bool:
    levels = [each.level for each in findings if each.id == id_]
    return bool(levels) and set(levels) == {"ok"}


def say_waiting(why: str) -> None:
    """Print *why* setup waits, on stderr."""
    print(f"trailcourier: {why}", file=sys.stderr)
