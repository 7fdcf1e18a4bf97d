"""Draws the plan of a seed."""

import dataclasses
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tests.simulation.plan import FOR_EVER, Event, Host, Plan
from tests.simulation.profiles import PROFILES, Profile
from tests.simulation.questions import with_questions
from tests.simulation.scenes import SMALL_MEMORY, with_scene
from tests.simulation.workload import BUCKETS, Author, Workload
from trailcourier.models import Numbers

GATHERS = 0.04  # how likely many messages name one object
SLOW = 2500  # ms
CROWDS, LONG, PAUSES = 0.05, 0.002, 0.02  # of all seeds
ONE_BY_ONE = 0.3
PAUSE = 6_000_000  # ms for which the whole fleet stands still in some runs
PAUSE_AFTER = 60_000  # ms before it does, and after
SINK_REASONS = ("sink-unreachable", "sink-busy", "sink-credentials", "sink-full")
BUCKET_REASONS = ("access-denied", "no-such-bucket", "kms", "network", "throttled")
QUEUE_REASONS = ("network", "queue-denied", "queue-error", "credentials")


QUICK: Mapping[str, Sequence[Any]] = {
    "visibility": (60, 120),  # more than twice the pause between tends
    "visibility_degraded": (120, 300),
    "poll": (5, 10, 20),
    "receive_wait": (5, 10, 20),
    "claim": (9, 15, 30),
    "claim_stall": (30, 60),
    "lost_after": (5, 10, 30),
    "idle_after": (5, 10),
    "maintenance": (5, 10, 20),
    "park_first": (1.0, 5.0),
    "park_last": (10.0, 30.0),
    "breaker_failures": (1, 2, 5),
    "breaker_probe": (5.0, 10.0, 30.0),
    "heartbeat": (30,),
    "batch_records": (2, 3, 1000),
    "chord": (2, 200),
    "parked": (2, 5, 2000),
    "in_flight": (4, 256),
    "in_flight_per_thread": (1, 4),
    "lease_life": (600, 43_200),
    "redispatches": (3,),
    "settle_gather": (0.0, 0.1),
}


def _gathered(seed: int, workload: Workload) -> tuple[Workload, tuple[Event, ...]]:
    """In a few worlds many messages come at once that name what one of them names.

    The SIEM takes nothing then, and is slow to say so.
    """
    chance = random.Random(f"{seed} gathered")
    good = [sent for sent in workload.sent if sent.kind == "good"]
    if not good or chance.random() > GATHERS:
        return workload, ()
    first = chance.choice(good)
    number = len(workload.sent)
    more = tuple(
        dataclasses.replace(first, name=f"m{number + at}") for at in range(chance.randint(8, 14))
    )
    busy = Event(max(0, first.at - 1), "sink", "siem", "sink-busy", chance.randint(30_000, 90_000))
    return dataclasses.replace(workload, sent=(*workload.sent, *more)), (busy,)


def plan(seed: int, profile: str = "", without: Collection[str] = ()) -> Plan:
    """Everything that *seed* fixes; *profile* "" lets the seed choose.

    *without* names kinds of objects, messages and events that are left out.
    """
    chance = random.Random(f"{seed} plan")
    chosen = chance.choice(tuple(PROFILES))
    profile = profile or chosen
    data = PROFILES[profile]
    numbers = Numbers() if chance.random() < 0.1 else _numbers(chance)
    hosts = _hosts(seed, chance, data)
    lasts, size = chance.choice((1000, 5000, 20_000)), chance.random()
    crowd = size < CROWDS
    messages = chance.randint(2, 6)
    if crowd:
        messages = chance.randint(100, 500) if size < LONG else chance.randint(20, 40)
    pause = PAUSE if size > 1 - PAUSES else 0
    memory = chance.choice((SMALL_MEMORY, numbers.memory_mib << 20))
    workload = Author(
        chance, messages=messages, poor=data.poor, lasts=lasts, pause=pause,
        again=chance.choice((0.25, 0.25, 0.8)), without=without,
        big=0.1 if memory == SMALL_MEMORY else 0,
    ).write()  # fmt: skip
    workload, busy = _gathered(seed, workload)
    configures = list(_configures(seed, data, lasts)) if "configure" not in without else []
    longest = chance.choice((numbers.claim, numbers.claim * 2, min(numbers.visibility, 60))) * 1500
    drawn = Plan(
        seed=seed,
        profile=profile,
        numbers=numbers,
        hosts=hosts,
        workload=workload,
        slow=SLOW if busy else 0,
        memory=memory,
        events=tuple(
            sorted(
                (
                    e
                    for e in (
                        *(
                            [Event(lasts + PAUSE_AFTER, "pause", lasts=pause - 2 * PAUSE_AFTER)]
                            if pause
                            else ()
                        ),
                        *_events(chance, data, hosts, lasts, longest),
                        *configures,
                        *_commands(seed, data, lasts),
                        *busy,
                    )
                    if e.kind not in without
                ),
                key=lambda event: event.at,
            )
        ),
        stays=chance.choice((0.2, 0.5, 0.8, 0.95)),
        ticks=chance.choice((1000, 5000, 5000, 10_000, 10_000)),
        most_receives=chance.choice((0, 5, 10)),
        stale_works=chance.random() < 0.5,
        longest=longest,
        one_by_one=random.Random(f"{seed} one by one").random() < ONE_BY_ONE,
        new_numbers=_numbers(random.Random(f"{seed} new numbers")) if configures else None,
    )
    return with_scene(with_questions(drawn, without), without)


def _numbers(chance: random.Random) -> Numbers:
    return Numbers(**{name: chance.choice(values) for name, values in QUICK.items()})


def _configures(seed: int, data: Profile, lasts: int) -> Iterator[Event]:
    """The fleet goes over to another configuration, one process after the other; rarely."""
    chance = random.Random(f"{seed} configure")
    if chance.random() < data.configures:
        at, duration = chance.randrange(lasts + 5000), chance.choice((100, 10_000, 60_000))
        yield Event(at, "configure", lasts=duration)


def _commands(seed: int, data: Profile, lasts: int) -> Iterator[Event]:
    """An operator has to do with what is in quarantine by then; rarely."""
    chance = random.Random(f"{seed} commands")
    while chance.random() < data.commands:
        at = chance.randrange(lasts + 120_000)
        yield Event(at, chance.choice(("retry", "retry", "drop")))


def _hosts(seed: int, chance: random.Random, data: Profile) -> tuple[Host, ...]:
    hosts, groups = [], random.Random(f"{seed} groups")
    for queue, count in (
        ("beat", 1),
        ("control", chance.choice((1, 2))),
        ("objects", chance.choice((1, 2, 2, 3))),
    ):
        for number in range(count):
            threads = chance.choice((2, 5)) if queue == "control" else chance.choice((1, 2, 4))
            skew = chance.uniform(-data.skew, data.skew)
            drift = chance.uniform(-data.drift, data.drift)
            slow = chance.choice((1, 1, 1, 1, 20))
            group = groups.choice((1, 2, 4, 8)) if queue == "objects" else 1
            name = f"{queue}-{number + 1}"
            hosts.append(Host(name, queue, threads, skew, drift, slow, group))
    return tuple(hosts)


def _events(chance, data, hosts, lasts, longest):  # noqa: C901, PLR0912, PLR0915  a row a kind
    for kind, most in data.events.items():
        for _ in range(chance.randint(0, most)):
            if chance.random() < (0.6 if len(data.events) > 6 else 0.2):
                continue
            at = chance.randrange(lasts + 5000)
            duration = chance.randint(500, longest)
            lasting = FOR_EVER if chance.random() < 0.3 else duration
            host = chance.choice(hosts).name
            match kind:
                case "kill" | "freeze" | "stop":
                    yield Event(at, kind, host, lasts=duration)
                case "step":
                    how = chance.choice(("-3600", "3600", "46800", "25", "-25"))
                    yield Event(at, kind, host, how)
                case "restart":
                    yield Event(at, kind)
                case "broker-step":
                    yield Event(
                        at, kind, "", chance.choice(("-3600", "3600", "46800", "25", "-25"))
                    )
                case "flush" | "full" | "no-writes":
                    yield Event(at, kind, lasts=min(duration, 60_000))
                case "restore":
                    yield Event(at, kind, lasts=chance.randint(1000, 5000))
                case "away":
                    how = chance.choice(("connection", "timeout", "readonly", "loading", "noauth"))
                    yield Event(at, kind, "", how, min(duration, 60_000))
                case "sink":
                    yield Event(at, kind, chance.choice(("siem", "archive")),
                                chance.choice(SINK_REASONS), duration)  # fmt: skip
                case "sink-host":
                    workers = [host.name for host in hosts if host.queue == "objects"]
                    if len(workers) > 1:
                        how = f"sink-full {chance.choice(workers)}"
                        yield Event(at, kind, "archive", how, lasting)
                case "sink-rejects":
                    yield Event(at, kind, "siem", lasts=duration)
                case "bucket":
                    bucket = chance.choice(BUCKETS)
                    yield Event(at, kind, bucket, chance.choice(BUCKET_REASONS), lasting)
                case "prefix":
                    bucket = chance.choice(BUCKETS)
                    where = f"{bucket}/AWSLogs/111122223333"
                    yield Event(at, kind, where, chance.choice(("access-denied", "kms")), lasting)
                case "credentials":
                    yield Event(at, kind, lasts=duration)
                case "purge":
                    yield Event(at, kind)
                case "redeliver":
                    yield Event(at, kind, f"m{chance.randrange(6)}")
                case "queue":
                    yield Event(at, kind, "", chance.choice(QUEUE_REASONS), duration)
                case "no-extend":
                    yield Event(at, kind, lasts=duration)
                case _:
                    raise ValueError(kind)
