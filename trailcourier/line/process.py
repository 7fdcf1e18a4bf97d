"""What all forwards of one process share: memory, the right to run alone, and live claims."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from trailcourier import observe
from trailcourier.errors import Stale
from trailcourier.ledger.claims import Claim, Claims

RENEWALS = 3  # in the life of one claim
LOOK = 1.0  # seconds between two looks of who waits for memory


class Budget:
    """So many bytes for all forwards of a process; who needs more than is left waits."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = size
        self._freed = threading.Condition()

    @contextmanager
    def take(
        self,
        wanted: int,
        *,
        before_waiting: Callable[[], None],
        waiting: Callable[[], None] = lambda: None,
    ) -> Iterator[bool]:
        """Hold *wanted* bytes; one that wants more than there is gets all of it, alone.

        Yields whether it had to wait, and calls *before_waiting* first if so: a connection would
        not outlast the wait.  *waiting* is called now and then meanwhile, and may raise.
        """
        share = min(wanted, self._size)
        waited = not self._try(share)
        if waited:
            before_waiting()
            while not self._try(share, within=LOOK):
                waiting()
        try:
            yield waited
        finally:
            with self._freed:
                self._left += share
                self._freed.notify_all()

    def _try(self, share: int, *, within: float = 0) -> bool:
        with self._freed:
            if not self._freed.wait_for(lambda: self._left >= share, within):
                return False
            self._left -= share
            return True


class Gate:
    """Many at once, or one alone: an object that may kill the process harms no other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting_alone = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Be inside together with others."""
        with self._changed:
            self._changed.wait_for(lambda: self._inside >= 0 and not self._waiting_alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be inside while nobody else is; newcomers wait."""
        with self._changed:
            self._waiting_alone += 1
            self._changed.wait_for(lambda: self._inside == 0)
            self._waiting_alone -= 1
            self._inside = -1
        try:
            yield
        finally:
            with self._changed:
                self._inside = 0
                self._changed.notify_all()


class Hold(msgspec.Struct):
    """A live claim; *lost* once it was overtaken.

    Its forward last got anywhere when *moved*; the claim was last *kept* when the ledger said so,
    and may have run out *life* seconds later.
    """

    claim: Claim
    claims: Claims
    moved: float
    kept: float
    life: float
    lost: bool = False

    def move(self) -> None:
        """Say that the work goes on; raises Stale where the claim was overtaken.

        After a standstill, the process frozen or the forward stalled, the ledger is asked first.
        """
        now = time.monotonic()
        if not self.lost and now - self.kept > self.life:
            self.renewed(self.claims.renew([self.claim])[0], now)
        if self.lost:
            raise Stale(f"the claim on {self.claim.ref} was overtaken")
        self.moved = now

    def renewed(self, ours: bool, now: float) -> None:
        """Note what the ledger said."""
        self.lost = self.lost or not ours
        self.kept = now


class Holds:
    """Keeps the claims of running forwards alive, from one thread.

    A forward that gets nowhere for *stall* seconds is not kept: threads have no time limits, and
    a claim renewed for ever would hold its message for ever.
    """

    def __init__(self, *, every: float, life: float, stall: float) -> None:
        self._every = every
        self._life = life
        self._stall = stall
        self._held: set[int] = set()
        self._holds: dict[int, Hold] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def held(self, claims: Claims, claim: Claim) -> Iterator[Hold]:
        """Renew *claim* for as long as the block runs and moves."""
        now = time.monotonic()
        hold = Hold(claim, claims, moved=now, kept=now, life=self._life)
        with self._lock:
            self._holds[id(hold)] = hold
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._keep, name="claims", daemon=True)
                self._thread.start()
        try:
            yield hold
        finally:
            with self._lock:
                del self._holds[id(hold)]

    def _keep(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self._every)
            try:
                self._renew(time.monotonic())
            except Exception as error:  # noqa: BLE001  the broker may be away; claims then run out
                observe.fact("claims_not_renewed", error=repr(error))

    def _renew(self, now: float) -> None:
        with self._lock:
            moving = [hold for hold in self._holds.values() if now - hold.moved < self._stall]
        for claims in {id(hold.claims): hold.claims for hold in moving}.values():
            ours = [hold for hold in moving if hold.claims is claims]
            for hold, kept in zip(ours, claims.renew([h.claim for h in ours]), strict=True):
                hold.renewed(kept, now)


class Process:
    """One worker process: its byte budget, its gate and its live claims."""

    def __init__(self, *, memory: int, claim: float, stall: float) -> None:
        self.budget = Budget(memory)
        self.gate = Gate()
        self.holds = Holds(every=claim / RENEWALS, life=claim, stall=stall)
