"""Scenes: a few worlds in each hundred in which one course of events is arranged on purpose.

Each needs several things at the same time that chance alone brings together too seldom.  In most of
them nothing else goes wrong, so that what comes of it is known.
"""

import dataclasses
import random
from collections.abc import Callable, Collection
from typing import Any

from tests.simulation.bucket import Content
from tests.simulation.plan import FOR_EVER, Event, Host, Plan
from tests.simulation.strikes import Wish, each_kind, lasts
from tests.simulation.workload import BIG, BODIES, Name, Put, Sent, Workload, log_file
from trailcourier.models import Numbers

OF_ENTRIES = ("ledger.put_entry", "ledger.drop_entry", "ledger.HMGET q", "ledger.HMGET qx")
FOREIGN = "not-ours"  # a bucket outside of the source's allow-list
SMALL_MEMORY = 60_000  # bytes: a few small objects at a time, or one big one alone
SHORT_LIFE = 600  # seconds that SQS lets anybody hold a message, instead of twelve hours
MESSAGES = 8  # of a world that has a scene, at most: some take long
RECORD = b'{"eventID":"scene%d-%d","eventTime":"2026-11-23T00:00:00Z"}'
LONGEST = 20_000  # ms that a wished strike lasts
HANGS = 0.7  # how likely a worker hangs in that scene
STOPS = (7000, 60_000)  # ms after which a worker is told to stop, at least
PACE = 3000  # ms that a slow sink takes for a request
SPREAD = 23  # so that seeds with the same scene do not follow each other
Scene = Callable[[random.Random, Plan, int], Plan]
"""Changes a plan; the number says how many worlds had this scene before."""


def scene_of(seed: int) -> tuple[str, int]:
    """The scene of *seed*, empty for none, and how many seeds before it have the same."""
    hundreds, place = divmod(seed, 100)
    place = place * SPREAD % 100
    for name, (percent, _) in SCENES.items():
        if place < percent:
            return name, hundreds * percent + place
        place -= percent
    return "", 0


def with_scene(given: Plan, without: Collection[str] = ()) -> Plan:
    """*given* with the scene of its seed, if that is not among *without* and the world is small."""
    name, turn = scene_of(given.seed)
    if not name or name in without or len(given.workload.sent) > MESSAGES:
        return given
    _, scene = SCENES[name]
    return scene(random.Random(f"{given.seed} {name}"), given, turn)


def _foreign_bucket(chance: random.Random, given: Plan, turn: int) -> Plan:
    """A message names an object of a bucket that is not allowed; an operator does something."""
    at, point = chance.randrange(5000), OF_ENTRIES[turn % len(OF_ENTRIES)]
    command = "drop" if point == "ledger.drop_entry" else "retry"
    changed = _alone(
        given,
        Event(at + chance.randint(10_000, 30_000), command),
        wishes=(_wish(chance, point, turn // len(OF_ENTRIES)),),
    )
    return _with_object(chance, changed, at, FOREIGN, "refuse")


def _older_receipt(chance: random.Random, given: Plan, _turn: int) -> Plan:
    """A message is received again while its lease is open, which the sink keeps open.

    Often the worker that received it first hangs, and admits it after the second receive was.
    """
    sent = _first_good(given)
    if sent is None:
        return given
    hangs = (Wish("queue.receive", "freeze-after", sent.at, 20_000),)
    more = Host("control-2", "control", 2)
    hosts = (*given.hosts, *(() if any(h.name == more.name for h in given.hosts) else (more,)))
    return _alone(
        given,
        Event(max(0, sent.at - 1), "sink", "siem", "sink-busy", lasts=120_000),
        Event(sent.at + 3000, "redeliver", sent.name),
        hosts=hosts,
        wishes=hangs if chance.random() < HANGS else (),
    )


def _long_outage(chance: random.Random, given: Plan, _turn: int) -> Plan:
    """A bucket fails for longer than SQS lets anybody hold a message."""
    sent = _first_good(given)
    if sent is None:
        return given
    duration = chance.randint(SHORT_LIFE + 100, SHORT_LIFE + 300) * 1000
    fails = Event(max(0, sent.at - 1), "bucket", sent.names[0].bucket, "access-denied", duration)
    numbers = _numbers(
        given, lease_life=SHORT_LIFE, visibility=60, parked=2000, park_first=5.0, park_last=30.0
    )
    return _alone(given, fails, numbers=numbers, sqs_life=SHORT_LIFE)


def _purged(chance: random.Random, given: Plan, _turn: int) -> Plan:
    """The queue is purged while messages wait for a bucket that fails for ever."""
    sent = _first_good(given)
    if sent is None:
        return given
    fails = Event(max(0, sent.at - 1), "bucket", sent.names[0].bucket, "kms", FOR_EVER)
    return _alone(given, fails, Event(sent.at + chance.randint(10_000, 30_000), "purge"))


def _redriven(chance: random.Random, given: Plan, _turn: int) -> Plan:
    """Refused messages reach the dead-letter queue, and an operator moves them back."""
    last = max(sent.at for sent in given.workload.sent)
    moves = [Event(last + chance.randint(190_000, 300_000), "redrive") for _ in range(2)]
    return _alone(given, *moves, numbers=_numbers(given, parked=2000), most_receives=2)


def _degraded(chance: random.Random, given: Plan, turn: int) -> Plan:
    """AWS denies that a visibility is changed, and a sink has messages held for long."""
    busy = Event(0, "sink", "siem", "sink-busy", lasts=chance.randint(60_000, 120_000))
    wishes = (
        Wish("queue.extend", "denied", 0),
        _wish(chance, "ledger.note_degraded", turn),
        _wish(chance, "ledger.make_parked_due", turn),
    )
    drain = Event(chance.randint(20_000, busy.lasts), "drain")
    return _alone(given, busy, drain, wishes=wishes)


def _full_bucket(chance: random.Random, given: Plan, turn: int) -> Plan:
    """More objects of a bucket are parked than may be, so messages are left to the queue.

    An operator begins a drain meanwhile.
    """
    fails = Event(0, "bucket", "acme-logs", "kms", lasts=chance.randint(60_000, 200_000))
    drain = Event(chance.randint(20_000, fails.lasts), "drain")
    points = ("ledger.note_left_messages", "ledger.take_recovered_messages",
              "ledger.forget_left_messages")  # fmt: skip
    wishes = (
        _wish(chance, "ledger.reset_breaker", turn),
        _wish(chance, points[turn % 3], turn // 3),
        Wish("queue.extend", "denied" if turn % 2 else "error:network", 0),
    )
    changed = _alone(given, fails, drain, numbers=_numbers(given, parked=2), wishes=wishes)
    for _ in range(chance.randint(4, 6)):
        changed = _with_object(chance, changed, chance.randrange(1000), "acme-logs", "carry")
    return changed


def _wish(chance: random.Random, point: str, turn: int) -> Wish:
    """A strike at the first call of *point*; each kind has its turn."""
    every = each_kind(point)
    kind = every[turn % len(every)]
    return Wish(point, kind, 0, chance.randint(500, LONGEST) if lasts(kind) else 0)


def _backlog(chance: random.Random, given: Plan, _turn: int) -> Plan:
    """One thread works for a slow sink, and forwards wait for it in the broker."""
    hosts = [host for host in given.hosts if host.queue != "objects"]
    numbers = _numbers(
        given, in_flight=256, in_flight_per_thread=100, lost_after=30, idle_after=5, claim=30
    )
    changed = _alone(
        given, hosts=(*hosts, Host("objects-1", "objects", 1)), numbers=numbers, pace=PACE
    )
    for _ in range(chance.randint(6, 9)):
        changed = _with_object(chance, changed, chance.randrange(1000), "acme-logs", "carry")
    return changed


def _stopping(chance: random.Random, given: Plan, _turn: int) -> Plan:
    """A worker is killed and, later, told to stop, while its forwards wait for each other.

    What it had in hand runs alone then, and some of it needs all the memory there is.
    """
    hosts = [host for host in given.hosts if host.queue != "objects"]
    kill = Event(chance.randint(2000, 6000), "kill", "objects-1")
    stops = [Event(at + chance.randrange(20_000), "stop", "objects-1") for at in STOPS]
    changed = _alone(
        given, kill, *stops, pace=PACE, memory=SMALL_MEMORY,
        hosts=(*hosts, Host("objects-1", "objects", 4)),
        numbers=_numbers(given, starts_alone=1, starts_refused=10, idle_after=5, lost_after=5),
    )  # fmt: skip
    for _ in range(chance.randint(3, 5)):
        at, claims = chance.randrange(1000), chance.choice((0, BIG))
        changed = _with_object(chance, changed, at, "acme-logs", "carry", claims=claims)
    return changed


def _alone(given: Plan, *events: Event, **changes: Any) -> Plan:
    """*given* with *changes*, where nothing but *events* goes wrong."""
    given = dataclasses.replace(
        given, events=events, wishes=(), new_numbers=None, quiet=True, slow=0
    )
    given = dataclasses.replace(given, **changes)
    hosts = tuple(dataclasses.replace(host, slow=1) for host in given.hosts)
    return dataclasses.replace(given, hosts=hosts)


def _numbers(given: Plan, **changes: Any) -> Numbers:
    return given.numbers.model_copy(update=changes)


def _first_good(given: Plan) -> Sent | None:
    """The first message that has objects, all of which are good."""
    for sent in given.workload.sent:
        if sent.kind == "good" and any(name.fate == "carry" for name in sent.names):
            return sent
    return None


def _with_object(
    chance: random.Random, given: Plan, at: int, bucket: str, fate: Any, *, claims: int = 0
) -> Plan:
    """One more object in *bucket*, and one more message that names it."""
    puts, sent = given.workload.puts, given.workload.sent
    number = len(sent)
    key = f"AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23/scene_{number:016}.json.gz"
    records = tuple(RECORD % (number, at) for at in range(2))
    content = Content(f"scene{number}", log_file(records), records, claims=claims)
    name = Name(bucket, key, 0, chance.random() < 0.5, fate)
    body = BODIES["s3"]([name], lambda _: content.etag)
    kind: Any = "good" if fate == "carry" else "bad"
    more = Sent(at + 5, f"m{number}", body, kind, (name,))
    workload = Workload((*puts, Put(at, bucket, key, content)), (*sent, more))
    return dataclasses.replace(given, workload=workload)


SCENES: dict[str, tuple[float, Scene]] = {
    "foreign-bucket": (5, _foreign_bucket),
    "older-receipt": (3, _older_receipt),
    "long-outage": (1, _long_outage),
    "purged": (2, _purged),
    "redriven": (3, _redriven),
    "backlog": (2, _backlog),
    "stopping": (2, _stopping),
    "degraded": (2, _degraded),
    "full-bucket": (4, _full_bucket),
}
"""How many of a hundred worlds have each scene, and what it changes in a plan."""
