"""By when each message must be done: what it depends on, and since when all of that is well."""

from tests.simulation.plan import FOR_EVER, Event, Plan
from tests.simulation.workload import Sent
from trailcourier.ledger.left_messages import PATIENCE
from trailcourier.ledger.mode import DEGRADED
from trailcourier.line.queue import BACK_OFF_FIRST, BACK_OFF_LAST

SLACK = 120_000  # ms: processes start again, tasks of dead ones come back
LEFT = 2  # times that a message is left to the queue
EACH = 1000  # ms that a message of a crowd takes, at the slowest
FIVE_TRIES = 1_000_000  # ms that a message is kept away in all before a bug refuses it
OF_BUCKETS = ("bucket", "prefix")


class Waits:
    """The dependencies of one plan's messages."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._well: dict[str, int | None] = {}
        longest: float = 120
        for numbers in plan.configurations:
            longest = max(
                longest, numbers.visibility, numbers.park_last, 3 * numbers.breaker_probe,
                numbers.claim_stall,
            )  # fmt: skip
        lease_life = max(numbers.lease_life for numbers in plan.configurations)
        if any(event.kind in OF_BUCKETS for event in plan.events):
            longest = max(longest, min(lease_life, 12 * 3600) / 2)
        self.bound = int(2 * longest * 1000) + SLACK
        # whether a message may be left to the queue, as its bucket has too much parked
        least = min(numbers.parked for numbers in plan.configurations)
        self.may_be_left = least < sum(len(sent.names) for sent in plan.workload.sent)
        self.bound += LEFT * PATIENCE if self.may_be_left else 0
        self._least = least
        self.bound += EACH * len(plan.workload.sent)
        ends = [event.at + (event.lasts if event.lasts < FOR_EVER else 0) for event in plan.events]
        self._calm = max([*ends, *(sent.at for sent in plan.workload.sent)], default=0)
        self._kept_away = 1000 * sum(
            min(BACK_OFF_LAST, BACK_OFF_FIRST * 2**times) for times in range(plan.most_receives)
        )  # ms for which one that cannot be deleted is hidden before the queue gives it up
        self._degraded = DEGRADED + 2000 * max(
            numbers.visibility_degraded for numbers in plan.configurations
        )

    def due(self, sent: Sent, last_strike: int, *, denied: bool) -> int | None:
        """By when *sent* must be done; None for one that need not be.

        *denied* says that visibility could not be changed once: then it is not, for an hour.
        """
        well = self.well_since(sent)
        if well is None:
            return None
        bound = self.bound + (FIVE_TRIES if sent.kind == "raises" else 0)
        bound += 0 if sent.kind == "good" else self._kept_away
        if denied or any(event.kind == "no-extend" for event in self._plan.events):
            bound += self._degraded
        return max(well, last_strike) + bound

    def well_since(self, sent: Sent) -> int | None:
        """When the last thing that *sent* depends on was repaired; None if something never is."""
        if sent.name not in self._well:
            self._well[sent.name] = self._repaired(sent)
        return self._well[sent.name]

    def _repaired(self, sent: Sent) -> int | None:
        if sum(name.fate in ("refuse", "either") for name in sent.names) > self._least:
            return None  # left to the queue for good: more of it is bad than may be parked
        since = sent.at
        for event in self._plan.events:
            if self._concerns(event, sent):
                if event.lasts == FOR_EVER:
                    return None
                since = max(since, event.at + event.lasts)
        return since

    def calm_since(self) -> int:
        """When the last thing from outside was over, but for what never is."""
        return self._calm

    def _concerns(self, event: Event, sent: Sent) -> bool:
        match event.kind:
            case "bucket" | "prefix":
                return any(
                    f"{name.bucket}/{name.key}".startswith(f"{event.what}/") for name in sent.names
                )
            case "sink-host" if event.lasts == FOR_EVER:
                return False  # others are well
            case _:
                return True
