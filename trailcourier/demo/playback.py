"""Plays traffic onto the emulated AWS, and watches until all of it is settled."""

import threading
import time

import redis
from rich.console import Console
from rich.live import Live
from rich.table import Table

from trailcourier import wiring
from trailcourier.demo.aws import DemoAccount
from trailcourier.demo.traffic import LogFile, Traffic
from trailcourier.operations.source_status import SourceStatus
from trailcourier.operations.status import read_status

SOURCE = "demo"
REFRESH_SECONDS = 0.3  # between two readings of the ledger
LINE_SECONDS = 10.0  # between two lines of progress if the output is not a terminal


class Playback:
    """One playback of *traffic*; setting *stopping* ends it early."""

    def __init__(
        self, traffic: Traffic, account: DemoAccount, stopping: threading.Event, console: Console
    ) -> None:
        self._traffic = traffic
        self._account = account
        self._stopping = stopping
        self._console = console
        self._live = Live(console=console, auto_refresh=False)
        self._ledger = wiring.ledger(SOURCE)
        self._files = self._messages = 0
        self._shown = 0.0  # when the table was drawn last
        self._printed = time.monotonic()

    def play_all(self, seconds: float, patience: float) -> bool:
        """Play everything in about *seconds*, then wait *patience* seconds until all is settled.

        Returns False if it was stopped.
        """
        with self._live:
            self._play(seconds)
            deadline = time.monotonic() + patience
            while not self._stopping.wait(REFRESH_SECONDS) and time.monotonic() < deadline:
                if self._settled(self._show()):
                    break
        if not self._console.is_terminal:
            self._console.print()  # Live does not end its last line if the output is not a terminal
        return not self._stopping.is_set()

    def refused(self) -> set[tuple[str, str]]:
        """Return bucket and key of every object that was refused."""
        entries = self._ledger.quarantine.entries()
        return {(each.ref.bucket, each.ref.key) for each in entries if each.ref}

    def _play(self, seconds: float) -> None:
        began = time.monotonic()
        pause = seconds / len(self._traffic.steps)
        for number, step in enumerate(self._traffic.steps):
            if self._stopping.wait(max(0, began + number * pause - time.monotonic())):
                return
            self._account.play(step)
            if isinstance(step, LogFile):
                self._files += 1
            else:
                self._messages += 1
            if time.monotonic() - self._shown > REFRESH_SECONDS:
                self._show()

    def _settled(self, now: SourceStatus | None) -> bool:
        """Return whether nothing is in flight and the queue holds only what must stay there."""
        if now is None:
            return False
        kept = len(self._traffic.kept_marks)
        unfinished = now.in_flight or now.parked
        return not unfinished and now.depth == kept and now.quarantined >= kept

    def _show(self) -> SourceStatus | None:
        """Show the progress; None while the broker does not answer, as in a demo of an outage."""
        self._shown = time.monotonic()
        try:
            now = read_status(self._ledger, depth=len(self._account.queue_bodies()))
        except redis.RedisError:
            return None
        self._live.update(self._table(now), refresh=True)
        if not self._console.is_terminal and self._shown - self._printed > LINE_SECONDS:
            self._printed = self._shown
            self._console.print(self._line(now), soft_wrap=True, highlight=False)
        return now

    def _line(self, now: SourceStatus) -> str:
        delivered = now.objects.get("delivered", 0)
        return (
            f"{self._files:,} files in the buckets, {now.depth:,} messages in the queue, "
            f"{now.in_flight:,} objects in flight, {delivered:,} delivered"
        )

    def _table(self, now: SourceStatus) -> Table:
        shown = Table("", "", show_header=False, title="Progress")
        shown.columns[1].justify = "right"
        rows = (
            ("files in the buckets", self._files),
            ("messages sent", self._messages),
            ("in the queue now", now.depth or 0),
            ("object threads", now.workers),
            ("objects in flight", now.in_flight),
            *((f"objects {name}", count) for name, count in sorted(now.objects.items())),
            *((f"records {name}", count) for name, count in sorted(now.records.items())),
            ("in quarantine", now.quarantined),
        )
        for name, count in rows:
            shown.add_row(name, f"{count:,}")
        return shown
