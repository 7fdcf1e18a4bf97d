"""What a world sees of its line from outside: what it logs, and what its ledger has noted."""

from collections import Counter
from typing import Any, NamedTuple

from tests.simulation.queue import name_of

REFUSALS = (
    "object_refused",
    "object_refused_again",
    "message_not_understood",
    "message_quarantined_before",
)


class Admission(NamedTuple):
    """The newest receipt of a message that the ledger was given: its count, and when."""

    receipt: str
    receives: int
    at: int


class Witness:
    """What one world has seen."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.said: Counter[str] = Counter()  # what was told, by event
        self.bugs: list[str] = []
        self.opened: set[str] = set()  # breakers, at any time
        self.refused: set[str] = set()  # objects and messages that were said to be
        self.quarantined: set[str] = set()  # messages of which nothing is left to do
        self.delivered: dict[str, int] = {}  # when an object was last said to be
        self.admitted: dict[str, Admission] = {}  # by message

    def fact(self, event: str, fields: dict[str, Any]) -> None:
        """Note what the line logs."""
        world = self._world
        actor, now = world.schedule.current, world.schedule.now
        told = " ".join(f"{name}={value}" for name, value in fields.items() if name != "source")
        world.history.add(now, actor.name if actor else "-", f"- {event}", told[:160])
        if fields.get("reason") != "breaker-open":  # that one was not begun
            self.said[event] += 1
        if event in REFUSALS:
            self.refused.add(str(fields.get("object", name_of(str(fields.get("message"))))))
        match event:
            case "breaker_opened":
                self.opened.add(str(fields["breaker"]))
            case "message_quarantined_before":
                self.quarantined.add(name_of(str(fields["message"])))
            case "object_delivered":
                self.delivered[str(fields["object"])] = now
            case "lease_lost":
                world.checks.calls.lease_lost(str(fields["message"]), str(fields["error"]))
            case "bug":
                self.bugs.append(told)

    def admits(self, message: str, receipt: str, receives: int) -> None:
        """Note that the ledger has admitted *message*, and that the caller knows it."""
        name = name_of(message)
        known = self.admitted.get(name)
        if receipt and (known is None or receives >= known.receives):
            self.admitted[name] = Admission(receipt, receives, self._world.schedule.now)

    def forgets(self, message: str, receipt: str) -> None:
        """Note that the ledger has dropped the lease of *message*, if it was by this receipt."""
        known = self.admitted.get(name_of(message))
        if known is not None and receipt in ("", known.receipt):
            self.admitted.pop(name_of(message))
