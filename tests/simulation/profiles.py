"""Profiles: how much goes wrong and of what kind; all of it data."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Profile:
    """*rate* is how likely a call is struck, *most* how many are at most.

    *weights* say which kinds of strike are drawn (see ``Strikes``); *events* how many of each kind
    may come from outside.  *skew* and *drift* bound the hosts' clocks.  *poor* is how likely an
    object or a message is one that cannot be carried, *configures* that the fleet goes over to
    another configuration, *commands* that an operator runs one more.
    """

    rate: float = 0.0
    most: int = 0
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    events: Mapping[str, int] = dataclasses.field(default_factory=dict)
    skew: float = 0.0
    drift: float = 0.0
    poor: float = 0.15
    configures: float = 0.0
    commands: float = 0.0


PROFILES: dict[str, Profile] = {
    "calm": Profile(poor=0.3, commands=0.2),
    "crashes": Profile(
        rate=0.01,
        most=4,
        weights={"crash": 3, "freeze": 1},
        events={"kill": 3, "freeze": 1, "stop": 1, "restart": 1},
        configures=0.2,
        commands=0.2,
    ),
    "replies": Profile(rate=0.02, most=4, weights={"reply": 4, "cut": 2, "twice": 2, "half": 2,
                                                   "partial": 2, "lost": 0.5, "error": 1},
                       commands=0.2),
    "clocks": Profile(
        rate=0.004,
        most=2,
        weights={"freeze": 1, "crash": 0.5},
        events={"step": 3, "broker-step": 1},
        skew=4000,
        drift=0.01,
    ),
    "broker": Profile(
        rate=0.01,
        most=4,
        weights={"broker": 3, "ledger:error": 3, "ledger:reply": 2, "ledger:cut": 1},
        events={"flush": 1, "restore": 1, "full": 1, "no-writes": 1, "away": 1},
    ),
    "sinks": Profile(
        rate=0.01,
        most=4,
        weights={"sink": 1},
        events={"sink": 2, "sink-host": 1, "sink-rejects": 1},
    ),
    "buckets": Profile(
        rate=0.01,
        most=4,
        weights={"bucket": 1},
        events={"bucket": 2, "prefix": 1, "credentials": 1},
        poor=0.3,
        commands=0.2,
    ),
    "queue": Profile(
        rate=0.01,
        most=4,
        weights={"queue": 1},
        events={"redeliver": 3, "queue": 1, "no-extend": 1, "purge": 1},
    ),
    "everything": Profile(
        rate=0.01,
        most=6,
        weights={"*": 1},
        events={"kill": 1, "freeze": 1, "stop": 1, "step": 1, "flush": 1, "restore": 1, "full": 1,
                "no-writes": 1, "away": 1, "sink": 1, "sink-host": 1, "bucket": 1, "prefix": 1,
                "redeliver": 1, "queue": 1, "no-extend": 1, "restart": 1, "broker-step": 1},
        skew=30,
        drift=0.001,
        configures=0.2,
        commands=0.2,
    ),
}  # fmt: skip
