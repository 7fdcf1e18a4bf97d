"""What an operator does beside the fleet: ``quarantine retry`` and ``drop``, on its own host."""

from typing import Literal

from tests.simulation.process import FORESEEN, SimProcess
from trailcourier.ledger.quarantine import QuarantineEntry
from trailcourier.line.live_claims import PAUSE
from trailcourier.operations.retry import retry


class Operator:
    """One command, in a process of its own; nobody starts it again where it fails."""

    def __init__(self, process: SimProcess) -> None:
        self.process = process
        self._ended = False

    def start(self, command: Literal["retry", "drop"]) -> None:
        self.process.spawn(command, lambda: self._run(command))
        self.process.spawn("holds", self._renew)

    def _run(self, command: str) -> None:
        process = self.process
        try:
            for entry in process.line.ledger.quarantine.entries():
                if command == "retry":
                    self._retry(entry)
                else:
                    dropped = process.line.ledger.quarantine.drop(entry.id)
                    process.say("dropped" if dropped else "not dropped", str(entry.ref))
        except FORESEEN as error:
            process.say("command failed", f"{error!r:.120}")
        except Exception as error:  # noqa: BLE001 - a traceback is shown, and that is a fault
            process.raised.append(f"{command}: {error!r:.300}")
        self._ended = True
        process.end()

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
