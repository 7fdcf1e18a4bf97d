"""Strikes that a seed draws on purpose, so that each pair of call and strike is met.

Drawn by chance alone, a call that few runs make meets few of its strikes.  So each seed aims:

- at two pairs of calls that most runs make: the pairs are taken in turn, by the seed's number;
- at calls that few runs make, wherever it comes to one: the kind is fixed by seed and call;
- at what its plan wishes (see ``scenes`` and ``questions``).
"""

import random
from collections.abc import Callable

from tests.simulation.plan import Plan
from tests.simulation.questions import ASKED
from tests.simulation.strikes import Strike, each_kind, lasts

USUAL = (
    "broker.chord", "broker.idle", "broker.publish", "broker.take", "bucket.body", "bucket.open",
    "ledger.HLEN left", "ledger.ZCARD done",
    "ledger.ZCARD flight+ZCARD parked+ZCARD leases",
    "ledger.DEL settling", "ledger.admit_message",
    "ledger.claim_object", "ledger.count_sums", "ledger.forget_messages", "ledger.judge_messages",
    "ledger.measure_room", "ledger.note_depth", "ledger.note_heartbeat", "ledger.note_progress",
    "ledger.note_receive", "ledger.note_step", "ledger.note_success", "ledger.read_clock",
    "ledger.read_degraded", "ledger.release_poll_lease", "ledger.send_tick",
    "ledger.sweep_breakers", "ledger.take_depth_turn",
    "ledger.take_finished_messages", "ledger.take_expiring_leases", "ledger.take_full_messages",
    "ledger.take_lost_forwards", "ledger.take_poll_lease", "ledger.write_outcome", "queue.delete",
    "queue.depth", "queue.extend", "queue.receive", "queue.redrive", "sink.finish",
    "sink.send", "sink.start",
)  # fmt: skip
"""The calls that most runs make."""

PAIRS = tuple((point, kind) for point in USUAL for kind in each_kind(point))
NTH = (1, 1, 1, 2, 3, 5, 8)
SELDOM = (
    "ledger.HDEL workers", "ledger.count_failure", "ledger.count_folders",
    "ledger.list_open_breakers", "ledger.renew_claims",
)  # fmt: skip
"""Calls that are always aimed at where a run makes them."""

LIKELY = 0.4  # that any other call is aimed at that is not usual
MOST = 2  # strikes at such calls in one run


class Aims:
    """What one plan aims at: what it wishes and, if it has strikes at all, what its seed says."""

    def __init__(self, given: Plan, now: Callable[[], int]) -> None:
        self._seed = given.seed
        self._longest = given.longest
        self._wishes = list(given.wishes)
        self._now = now
        nth = random.Random(f"{given.seed} aim").choice(NTH)
        self._pairs = [
            (PAIRS[at % len(PAIRS)], which)
            for at, which in ((given.seed, nth), (given.seed + len(PAIRS) // 2, 1))
        ]  # of call and strike, and at which call
        self._aimed = given.data.most > 0
        self._left = MOST if self._aimed else 0

    def at(self, point: str, nth: int) -> Strike | None:
        """The strike at the *nth* call of *point*, if one is wanted there."""
        for wish in self._wishes:
            if wish.point == point and wish.after <= self._now():
                self._wishes.remove(wish)
                return Strike(point, nth, wish.kind, wish.amount)
        return self._aim(point, nth) if self._aimed else None

    def _aim(self, point: str, nth: int) -> Strike | None:
        for (where, kind), which in self._pairs:
            if (where, which) == (point, nth):
                return self._strike(point, nth, kind)
        if nth > 1 or point in USUAL or point in ASKED or not self._left:
            return None
        chance = random.Random(f"{self._seed} {point}")
        if chance.random() >= LIKELY and point not in SELDOM:
            return None
        self._left -= 1
        return self._strike(point, nth, chance.choice(each_kind(point)))

    def _strike(self, point: str, nth: int, kind: str) -> Strike:
        chance = random.Random(f"{self._seed} {point} lasts")
        return Strike(point, nth, kind, chance.randint(500, self._longest) if lasts(kind) else 0)
