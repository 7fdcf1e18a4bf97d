"""Claims and poll leases that a process renews for as long as their tasks run."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from trailcourier.clock import Clock
from trailcourier.errors import Fault, Stale
from trailcourier.ledger.claims import Claim, Claims
from trailcourier.ledger.poll_lease import PollLease
from trailcourier.observability import log

T = TypeVar("T")

RENEWALS = 3  # of a claim during its life
PAUSE = 3.0  # seconds between two rounds of renewals; a poll lease lives for ten


class LiveClaim(msgspec.Struct):
    """A claim that is renewed while its forward runs; *lost* once another task took the object.

    The forward last made progress at *moved*; the ledger last confirmed the claim at *kept*, and
    the claim may have ended *life* seconds later.  All times are monotonic.  *stopping* is set when
    the process is to stop.
    """

    claim: Claim
    claims: Claims
    moved: float
    kept: float
    life: float
    monotonic: Callable[[], float]
    stopping: threading.Event
    lost: bool = False

    def keep_going(self) -> float:
        """Record progress as ``move`` does; raises Fault ``stopping`` once the process stops."""
        if self.stopping.is_set():
            raise Fault("stopping", "the worker was told to stop")
        return self.move()

    def move(self) -> float:
        """Record that the forward made progress; return the time.

        Raises Stale if another task took the object.  If the claim may have ended meanwhile (a
        frozen process, a stall), the ledger is asked first.
        """
        now = self.monotonic()
        if not self.lost and now - self.kept > self.life:
            self.renewed(self.claims.renew([self.claim])[0], now)
        if self.lost:
            raise Stale(f"the claim on {self.claim.ref} was overtaken")
        self.moved = now
        return now

    def renewed(self, ours: bool, now: float) -> None:
        """Record whether the ledger still has the claim as *ours*."""
        self.lost = self.lost or not ours
        self.kept = now


class LiveClaims:
    """Renews the claims and poll leases of running tasks, from one thread.

    A forward without progress for *stall* seconds is not renewed: threads have no time limit, and
    a claim that is renewed for ever holds its message for ever.
    """

    def __init__(
        self, *, life: float, stall: float, stopping: threading.Event, clock: Clock,
        keeps_alive: bool,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._life = life
        self._stall = stall
        self._stopping = stopping
        self._keeps_alive = keeps_alive
        self._live: dict[int, LiveClaim] = {}
        self._poll_leases: dict[int, PollLease] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def kept(self, claims: Claims, claim: Claim) -> Iterator[LiveClaim]:
        """Renew *claim* while the block runs and makes progress."""
        now = self._clock.monotonic()
        live = LiveClaim(claim, claims, now, now, self._life, self._clock.monotonic, self._stopping)
        with self._registered(self._live, live):
            yield live

    @contextmanager
    def polling(self, lease: PollLease) -> Iterator[bool]:
        """Take *lease* and renew it while the block runs; yields False if another holds it."""
        if not lease.take():
            yield False
            return
        try:
            with self._registered(self._poll_leases, lease):
                yield True
        finally:
            lease.release()

    @contextmanager
    def _registered(self, registry: dict[int, T], what: T) -> Iterator[None]:
        with self._lock:
            registry[id(what)] = what
            self._start()
        try:
            yield
        finally:
            with self._lock:
                del registry[id(what)]

    def _start(self) -> None:
        if not self._keeps_alive or (self._thread and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._keep, name="claims", daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while True:
            self._clock.wait(PAUSE)
            try:
                self.renew()
            except Exception as error:  # noqa: BLE001 - while the broker is away claims may end
                log.emit("claims_not_renewed", error=repr(error))

    def renew(self) -> None:
        """Renew every poll lease and every claim that is due.  Raises RedisError."""
        now, every = self._clock.monotonic(), self._life / RENEWALS
        with self._lock:
            leases = list(self._poll_leases.values())
            due = [
                live
                for live in self._live.values()
                # due now, or before the next round
                if now - live.moved < self._stall and now - live.kept >= every - PAUSE
            ]
        for lease in leases:
            lease.renew()
        for claims in {id(live.claims): live.claims for live in due}.values():
            self._renew(claims, [live for live in due if live.claims is claims], now)

    def _renew(self, claims: Claims, due: Sequence[LiveClaim], now: float) -> None:
        kept = claims.renew([live.claim for live in due])
        for live, ours in zip(due, kept, strict=True):
            live.renewed(ours, now)
