"""Faults of a broker that answers but cannot serve, and what to do about each.

They show in two places: in the error reply to a command, and in INFO.  The texts are those of Redis
(``server.c``, ``script.c``, ``replication.c``), which Valkey kept.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import redis


class Cause(msgspec.Struct, frozen=True):
    """What is wrong with a broker, and what the operator should do."""

    text: str
    fix: str

    def __str__(self) -> str:
        return f"{self.text}. {self.fix}"


FULL = Cause(
    "its memory is full, and maxmemory-policy does not let it remove anything",
    "Raise maxmemory, or remove the keys of other applications.",
)
REPLICA = Cause(
    "it is a read-only replica",
    "Give the URL of its primary. After a failover, point that name to the new primary.",
)
DISK = Cause(
    "it cannot write to its disk, so it refuses every write",
    "Free space on its disk; its own log says why the last save failed.",
)
LOADING = Cause("it is still loading its data", "Wait until it has finished.")
ORPHAN = Cause(
    "it is a replica that has lost its primary",
    "Give the URL of the primary, or repair the link to it.",
)
ALONE = Cause(
    "fewer replicas follow it than min-replicas-to-write asks for, so it refuses every write",
    "Repair its replicas, or lower min-replicas-to-write.",
)
BUSY = Cause(
    "a script has been running for seconds, so it answers no client",
    "Find out whose script it is. `SCRIPT KILL` ends one that has written nothing.",
)
CLUSTER = Cause("it is a Redis Cluster that is moving keys", "Name a server that is not a cluster.")
LOGIN = Cause("the password was not accepted", "Check the secret in the broker URL.")
RIGHTS = Cause(
    "the user lacks rights that docs/security.md lists",
    "Allow it those commands, keys and channels.",
)
PROTECTED = Cause(
    "it is in protected mode, so it accepts no other hosts", "Set a password or an ACL user."
)

CAUSES: Mapping[str, Cause] = {
    "OOM": FULL,
    "READONLY": REPLICA,
    "UNBLOCKED": REPLICA,
    "MISCONF": DISK,
    "LOADING": LOADING,
    "MASTERDOWN": ORPHAN,
    "NOREPLICAS": ALONE,
    "BUSY": BUSY,
    "TRYAGAIN": CLUSTER,
    "CLUSTERDOWN": CLUSTER,
    "NOAUTH": LOGIN,
    "WRONGPASS": LOGIN,
    "NOPERM": RIGHTS,
    "DENIED": PROTECTED,
}
"""The cause of each error code, which is the first word of an error reply."""

_CODES = "|".join(CAUSES)
# Redis 6 wraps the error of a command inside a script: ERR Error running script (call to
# f_<sha>): @user_script:1: @user_script: 1: -OOM command not allowed …
_CODE = re.compile(rf"({_CODES})\b|ERR Error running script.*: -({_CODES})\b")
# inside a script NOPERM has no code: the texts of Redis 6 and 7, then Valkey and Redis 8
_NOPERM = re.compile(r"ERR .*(The user executing the script can't|ACL failure in script: )")


class Impaired(redis.ConnectionError):
    """The broker replied that it cannot serve, until time or an operator repairs it.

    A ConnectionError, because kombu, Celery's result backend and redis-py all survive it and retry
    with pauses.  Any other error ends a worker.
    """

    def __init__(self, code: str, answer: str) -> None:
        super().__init__(f"{CAUSES[code].text} ({answer})")
        self.code = code

    def __repr__(self) -> str:
        return str(self)  # this is what Celery logs of a lost connection


def as_impaired(error: redis.ResponseError) -> Impaired | None:
    """Return *error* as Impaired; None where it is about the request, not the broker."""
    reply = _reply(error)
    code = _code(reply)
    return Impaired(code, reply) if code else None


def cause_of_error(error: redis.RedisError) -> Cause | None:
    """Return the cause that *error* names; None where it names none."""
    if isinstance(error, Impaired):
        return CAUSES[error.code]
    if isinstance(error, redis.AuthenticationError):
        return LOGIN  # older servers reply without a code
    code = _code(_reply(error))
    return CAUSES[code] if code else None


def unsupported_modes(info: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a server of this kind cannot be the broker, by its INFO, and what to do."""
    if info.get("cluster_enabled") == 1 or info.get("redis_mode") == "cluster":
        yield "it is a Redis Cluster, which Celery cannot use. Name a server that is not a cluster."
    if info.get("redis_mode") == "sentinel":
        yield "it is a Sentinel. Give the URL of the server it watches."


def cause_in_info(info: Mapping[str, Any]) -> Cause | None:
    """Return the cause that INFO shows; None for a broker that takes writes."""
    if info.get("role") == "slave":
        return REPLICA if info.get("master_link_status") == "up" else ORPHAN
    if _full(info):
        used, most = info["used_memory"], info["maxmemory"]
        return msgspec.structs.replace(FULL, text=f"{FULL.text} ({used:,} of {most:,} bytes)")
    appends = info.get("aof_enabled") == 1 and info.get("aof_last_write_status", "ok") != "ok"
    # a failed save stops writes only where so configured; then the server counts MISCONF replies
    saves = info.get("rdb_last_bgsave_status", "ok") != "ok" and "errorstat_MISCONF" in info
    found = (
        (info.get("loading") == 1, LOADING),
        (appends or saves, DISK),
        (
            info.get("min_slaves_good_slaves") == 0,
            ALONE,
        ),  # present only where min-replicas-to-write is set
    )
    return next((cause for holds, cause in found if holds), None)


def _full(info: Mapping[str, Any]) -> bool:
    """Say whether writes that need memory are refused, by the rule of ``getMaxmemoryState``."""
    most, policy = int(info.get("maxmemory", 0)), str(info.get("maxmemory_policy", "noeviction"))
    used = int(info.get("used_memory", 0)) - int(info.get("mem_not_counted_for_evict", 0))
    return 0 < most < used and policy in {"noeviction", "unknown"}


def _reply(error: redis.RedisError) -> str:
    """Return the reply as it was sent: redis-py strips the codes that it knows."""
    return f"{error.status_code} {error}" if error.status_code else str(error)


def _code(answer: str) -> str:
    if found := _CODE.match(answer):
        return found[1] or found[2]
    return "NOPERM" if _NOPERM.match(answer) else ""
