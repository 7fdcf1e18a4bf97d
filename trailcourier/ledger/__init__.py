"""The Redis record of what is held, claimed, done, parked and refused, for one source.

Nothing here is the truth about what is not yet done: that is the queue.  Losing the ledger whole
costs duplicates bounded by what was in flight, never a record.
"""

from collections.abc import Collection

from trailcourier.client import Client
from trailcourier.clock import SYSTEM_CLOCK, Clock
from trailcourier.ledger.breakers import Breakers
from trailcourier.ledger.claims import Claims
from trailcourier.ledger.depth import Depth
from trailcourier.ledger.flow import Flow
from trailcourier.ledger.leases import Leases
from trailcourier.ledger.left import Left
from trailcourier.ledger.outcomes import Outcomes
from trailcourier.ledger.parked import Parked
from trailcourier.ledger.quarantine import Quarantine
from trailcourier.ledger.store import Store
from trailcourier.ledger.sums import Sums
from trailcourier.ledger.traces import Traces
from trailcourier.ledger.workers import Workers
from trailcourier.models import Numbers


class Ledger:
    """One source's ledger, by what it is asked about; *sinks* are the source's, None for any."""

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
        self.flow = Flow(self.store)
        self.parked = Parked(self.store)
        self.left = Left(self.store)
        self.breakers = Breakers(self.store, sinks)
        self.quarantine = Quarantine(self.store)
        self.sums = Sums(self.store)
        self.depth = Depth(self.store)
        self.workers = Workers(self.store)
        self.traces = Traces(self.store)
