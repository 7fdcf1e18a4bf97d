"""What operators ask and command in some worlds, and the strikes that their commands meet.

Few worlds have an operator, and a strike ends most commands.  So each such world takes the next few
of all pairs of call and strike, and has the commands that make these calls.
"""

import dataclasses
import random
from collections.abc import Collection, Mapping

from tests.simulation.plan import Event, Plan
from tests.simulation.strikes import Wish, each_kind, lasts

ONE_IN, REMAINDER = 12, 5  # worlds that have an operator, by their seed
COMMANDS = 6  # of each
LATER = 60_000  # ms after the last message in which they come

ASKED: Mapping[str, str] = {
    "ledger.GET quiet": "drain",
    "ledger.HGETALL folders": "look",
    "ledger.HGETALL sums": "look",
    "ledger.HMGET limits": "look",
    "ledger.HMGET q": "look",
    "ledger.HMGET qx": "look",
    "ledger.HMGET skips": "look",
    "ledger.ZCARD qt+ZCARD qe+ZCARD qm": "look",
    "ledger.ZRANGE qe": "look",
    "ledger.ZRANGE qm": "look",
    "ledger.ZRANGE qt": "look",
    "ledger.drop_entry": "drop",
    "ledger.list_left_messages": "look",
    "ledger.list_parked_objects": "look",
    "ledger.list_processes": "look",
    "ledger.make_parked_due": "drain",
    "ledger.measure_leases": "look",
    "ledger.read_steps": "look",
    "ledger.read_sums": "look",
    "ledger.reset_breaker": "drain",
}
"""Calls that only operators make, and with which command."""

PAIRS = tuple((point, kind) for kind in each_kind("ledger.drop_entry") for point in ASKED)


def with_questions(given: Plan, without: Collection[str] = ()) -> Plan:
    """*given* with commands and the strikes that they meet, if its seed has an operator."""
    number, remainder = divmod(given.seed, ONE_IN)
    if remainder != REMAINDER or not given.data.most:
        return given
    chance = random.Random(f"{given.seed} questions")
    last = max(sent.at for sent in given.workload.sent)
    pairs = [PAIRS[(number * COMMANDS + at) % len(PAIRS)] for at in range(COMMANDS)]
    asked = [Event(chance.randrange(last + LATER), ASKED[point]) for point, _ in pairs]
    wishes = tuple(
        Wish(point, kind, 0, chance.randint(500, given.longest) if lasts(kind) else 0)
        for point, kind in pairs
    )
    events = (*given.events, *(event for event in asked if event.kind not in without))
    return dataclasses.replace(given, events=events, wishes=wishes)
