"""What an operator does beside the fleet, on a host of its own."""

from typing import Literal

from tests.simulation.process import FORESEEN, SimProcess
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.line.live_claims import PAUSE
from trailcourier.operations.drain import DrainWatch
from trailcourier.operations.retry import retry
from trailcourier.operations.status import read_status

Command = Literal["retry", "drop", "look", "drain"]
"""``quarantine retry --all``, ``quarantine drop`` of each entry, ``status``, ``run --drain``."""

SHOWN = 5  # parked objects that ``doctor`` shows
READS = 3  # of the ledger, while a drain is watched


class Operator:
    """One command, in a process of its own; nobody starts it again where it fails."""

    def __init__(self, process: SimProcess) -> None:
        self.process = process
        self._ended = False

    def start(self, command: Command) -> None:
        self.process.spawn(command, lambda: self._run(command))
        self.process.spawn("holds", self._renew)

    def _run(self, command: str) -> None:
        process = self.process
        try:
            match command:
                case "look":
                    self._look()
                case "drain":
                    self._drain()
                case _:
                    self._each_entry(command)
        except FORESEEN as error:
            process.say("command failed", f"{error!r:.120}")
        except Exception as error:  # noqa: BLE001 - a traceback is shown, and that is a fault
            process.raised.append(f"{command}: {error!r:.300}")
        self._ended = True
        process.end()

    def _each_entry(self, command: str) -> None:
        quarantine = self.process.line.ledger.quarantine
        for entry in quarantine.entries():
            if command == "retry":
                self._retry(entry)
            else:
                dropped = quarantine.drop(entry.id)
                self.process.say("dropped" if dropped else "not dropped", str(entry.ref))

    def _look(self) -> None:
        ledger = self.process.line.ledger
        found = read_status(ledger)
        entries, parked = ledger.quarantine.entries(), ledger.parked.list_some(SHOWN)
        told = f"{found.state}, {len(entries)} in quarantine, {len(parked)} parked"
        self.process.say("status", told)

    def _drain(self) -> None:
        """Begin a drain, which has everything tried at once, and watch it for a moment."""
        watch = DrainWatch(self.process.line.ledger)
        for _ in range(READS):
            self.process.say("drain", str(watch.progress()))
            self.process.clock.wait(1)

    def _retry(self, entry: QuarantineEntry) -> None:
        process = self.process
        actor = process.schedule.current
        assert actor is not None
        process.in_hand[actor.name] = str(entry.ref)
        try:
            told = retry(process.line, entry)
        finally:
            process.in_hand.pop(actor.name, None)
        process.say("retried" if told.done else "not retried", f"{entry.ref} {entry.reason}")

    def _renew(self) -> None:
        """What the thread does that keeps the command's claims alive."""
        while not self._ended:
            self.process.clock.wait(PAUSE)
            self.process.renew_claims()
