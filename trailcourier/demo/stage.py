"""Traffic played onto the emulated AWS, and watched until all of it is settled."""

import threading
import time

import redis
from rich.console import Console
from rich.live import Live
from rich.table import Table

from trailcourier import wiring
from trailcourier.demo.aws import Account
from trailcourier.demo.traffic import LogFile, Traffic
from trailcourier.status import Standing, standing

SOURCE = "demo"
LOOK = 0.3  # seconds between two looks at the ledger
TELL = 10.0  # seconds between two lines where no terminal shows a table that changes


class Stage:
    """One performance; *stopping* breaks it off."""

    def __init__(
        self, traffic: Traffic, account: Account, stopping: threading.Event, console: Console
    ) -> None:
        self._traffic = traffic
        self._account = account
        self._stopping = stopping
        self._console = console
        self._live = Live(console=console, auto_refresh=False)
        self._ledger = wiring.ledger(SOURCE)
        self._files = self._notices = 0
        self._shown = 0.0
        self._told = time.monotonic()

    def perform(self, seconds: float, patience: float) -> bool:
        """Play all in about *seconds* and wait *patience* for the end; False if stopped."""
        with self._live:
            self._play(seconds)
            deadline = time.monotonic() + patience
            while not self._stopping.wait(LOOK) and time.monotonic() < deadline:
                if self._settled(self._show()):
                    break
        if not self._console.is_terminal:
            self._console.print()  # there, a Live does not end its last line
        return not self._stopping.is_set()

    def refused(self) -> set[tuple[str, str]]:
        """Bucket and key of every object that was refused."""
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
                self._notices += 1
            if time.monotonic() - self._shown > LOOK:
                self._show()

    def _settled(self, now: Standing | None) -> bool:
        """Whether nothing is in hand, and the queue holds as many as must be left."""
        if now is None:
            return False
        left = len(self._traffic.left)
        in_hand = now.in_flight or now.parked
        return not in_hand and now.depth == left and now.quarantined >= left

    def _show(self) -> Standing | None:
        """Show how it stands; None while the broker is away, which a demo may well be about."""
        self._shown = time.monotonic()
        try:
            now = standing(self._ledger, depth=len(self._account.held()))
        except redis.RedisError:
            return None
        self._live.update(self._table(now), refresh=True)
        if not self._console.is_terminal and self._shown - self._told > TELL:
            self._told = self._shown
            self._console.print(self._line(now), soft_wrap=True, highlight=False)
        return now

    def _line(self, now: Standing) -> str:
        delivered = now.objects.get("delivered", 0)
        return (
            f"{self._files:,} files in the buckets, {now.depth:,} messages in the queue, "
            f"{now.in_flight:,} objects in flight, {delivered:,} delivered"
        )

    def _table(self, now: Standing) -> Table:
        shown = Table("", "", show_header=False, title="On its way")
        shown.columns[1].justify = "right"
        rows = (
            ("files in the buckets", self._files),
            ("messages sent", self._notices),
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
