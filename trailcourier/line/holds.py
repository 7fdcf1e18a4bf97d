"""What a process holds in the ledger for as long as a task runs: claims and poll leases."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from trailcourier import observe
from trailcourier.clock import Clock
from trailcourier.errors import Stale
from trailcourier.ledger.claims import Claim, Claims
from trailcourier.ledger.poll_lease import PollLease

T = TypeVar("T")

RENEWALS = 3  # in the life of one claim
PAUSE = 3.0  # seconds between two rounds; a poll lease lives for ten


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
    monotonic: Callable[[], float]
    lost: bool = False

    def move(self) -> None:
        """Say that the work goes on; raises Stale where the claim was overtaken.

        After a standstill, the process frozen or the forward stalled, the ledger is asked first.
        """
        now = self.monotonic()
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
    """Keeps the claims and poll leases of running tasks alive, from one thread.

    A forward that makes no progress for *stall* seconds is not kept: threads have no time limits,
    and a claim renewed for ever would hold its message for ever.
    """

    def __init__(self, *, life: float, stall: float, clock: Clock, keeps_alive: bool) -> None:
        self._clock = clock
        self._life = life
        self._stall = stall
        self._keeps_alive = keeps_alive
        self._holds: dict[int, Hold] = {}
        self._poll_leases: dict[int, PollLease] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def held(self, claims: Claims, claim: Claim) -> Iterator[Hold]:
        """Renew *claim* for as long as the block runs and moves."""
        now = self._clock.monotonic()
        hold = Hold(claim, claims, now, now, self._life, self._clock.monotonic)
        with self._among(self._holds, hold):
            yield hold

    @contextmanager
    def polling(self, lease: PollLease) -> Iterator[bool]:
        """Take *lease* and renew it for as long as the block runs; False where another holds it."""
        if not lease.take():
            yield False
            return
        try:
            with self._among(self._poll_leases, lease):
                yield True
        finally:
            lease.release()

    @contextmanager
    def _among(self, held: dict[int, T], what: T) -> Iterator[None]:
        with self._lock:
            held[id(what)] = what
            self._start()
        try:
            yield
        finally:
            with self._lock:
                del held[id(what)]

    def _start(self) -> None:
        if not self._keeps_alive or (self._thread and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._keep, name="holds", daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while True:
            self._clock.wait(PAUSE)
            try:
                self.renew()
            except Exception as error:  # noqa: BLE001  the broker may be away; claims then run out
                observe.fact("claims_not_renewed", error=repr(error))

    def renew(self) -> None:
        """Renew every poll lease, and every claim that is due; raises RedisError."""
        now, every = self._clock.monotonic(), self._life / RENEWALS
        with self._lock:
            leases = list(self._poll_leases.values())
            due = [
                hold
                for hold in self._holds.values()
                if now - hold.moved < self._stall and now - hold.kept >= every - PAUSE
            ]
        for lease in leases:
            lease.renew()
        for claims in {id(hold.claims): hold.claims for hold in due}.values():
            self._renew(claims, [hold for hold in due if hold.claims is claims], now)

    def _renew(self, claims: Claims, holds: Sequence[Hold], now: float) -> None:
        kept = claims.renew([hold.claim for hold in holds])
        for hold, ours in zip(holds, kept, strict=True):
            hold.renewed(ours, now)
