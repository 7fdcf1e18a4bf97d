"""The ledger: our state in Redis for one source: leases, claims, outcomes, parked and refused.

The SQS queue, not the ledger, is the truth about what is not yet done.  Losing the whole ledger
costs duplicates, bounded by what was in flight, and never a record.
"""

from collections.abc import Collection

from trailcourier.clock import SYSTEM_CLOCK, Clock
from trailcourier.ledger.breakers import Breakers
from trailcourier.ledger.claims import Claims
from trailcourier.ledger.depth import DepthSamples
from trailcourier.ledger.leases import Leases
from trailcourier.ledger.left_messages import LeftMessages
from trailcourier.ledger.mode import Mode
from trailcourier.ledger.outcomes import Outcomes
from trailcourier.ledger.parked import Parked
from trailcourier.ledger.poll_lease import PollLease
from trailcourier.ledger.quarantine import Quarantine
from trailcourier.ledger.receives import Receives
from trailcourier.ledger.redis_client import Client
from trailcourier.ledger.redispatch import Redispatch
from trailcourier.ledger.returned_messages import ReturnedMessages
from trailcourier.ledger.room import RoomMeter
from trailcourier.ledger.store import Store
from trailcourier.ledger.sums import Sums
from trailcourier.ledger.traces import Traces
from trailcourier.ledger.workers import WorkerRegistry
from trailcourier.models import Numbers


class Ledger:
    """One source's ledger, one attribute for each subject.

    *sinks* are the names of the source's sinks; with None, every sink's breaker concerns it.
    """

    def __init__(
        self,
        client: Client,
        source: str,
        numbers: Numbers,
        namespace: str = "trailcourier",
        sinks: Collection[str] | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.store = Store(client, source, numbers, namespace, clock=clock)
        self.leases = Leases(self.store)
        self.claims = Claims(self.store)
        self.outcomes = Outcomes(self.store)
        self.room = RoomMeter(self.store)
        self.receives = Receives(self.store)
        self.redispatch = Redispatch(self.store)
        self.mode = Mode(self.store)
        self.parked = Parked(self.store)
        self.left = LeftMessages(self.store)
        self.returned = ReturnedMessages(self.store)
        self.breakers = Breakers(self.store, sinks)
        self.quarantine = Quarantine(self.store)
        self.sums = Sums(self.store)
        self.depth = DepthSamples(self.store)
        self.workers = WorkerRegistry(self.store)
        self.traces = Traces(self.store)

    def poll_lease(self, slot: int) -> PollLease:
        """Return this process's handle on the poll lease of *slot*; it is not taken yet."""
        return PollLease(self.store, slot)
