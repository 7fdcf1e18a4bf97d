"""What is the matter with a broker that answers and cannot serve, and what to do about it.

It says so in two ways: in what it answers a command, and in INFO.  The words are those of Redis
(``server.c``, ``script.c``, ``replication.c``), which Valkey kept.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import redis


class Cause(msgspec.Struct, frozen=True):
    """What is the matter with a broker, and what an operator does about it."""

    text: str
    fix: str

    def __str__(self) -> str:
        return f"{self.text}. {self.fix}"


FULL = Cause(
    "its memory is full, and maxmemory-policy does not let it remove anything",
    "Raise maxmemory, or remove what others keep there.",
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
    "a script has been running for seconds, so it answers nobody",
    "Find whose script it is. `SCRIPT KILL` ends one that has written nothing.",
)
CLUSTER = Cause(
    "it is a Redis Cluster that moves keys just now", "Name a server that is not a cluster."
)
LOGIN = Cause("the password was not accepted", "Check the secret in the broker URL.")
RIGHTS = Cause(
    "the user may not do all of docs/security.md", "Allow it those commands, keys and channels."
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
"""The first word of an error reply, and what it means."""

_CODES = "|".join(CAUSES)
# What a command of a script was answered is wrapped by Redis 6: ERR Error running script (call to
# f_<sha>): @user_script:1: @user_script: 1: -OOM command not allowed …
_CODE = re.compile(rf"({_CODES})\b|ERR Error running script.*: -({_CODES})\b")
# and NOPERM has no code there: Redis 6 and 7, Valkey and Redis 8
_NOPERM = re.compile(r"ERR .*(The user executing the script can't|ACL failure in script: )")


class Impaired(redis.ConnectionError):
    """The broker answered that it cannot serve until time, or somebody, has repaired it.

    A ConnectionError, because that is what all that speak to the broker (kombu, Celery's result
    backend, redis-py) survive and try again with pauses.  Any other error ends a worker.
    """

    def __init__(self, code: str, answer: str) -> None:
        super().__init__(f"{CAUSES[code].text} ({answer})")
        self.code = code

    def __repr__(self) -> str:
        return str(self)  # this is what Celery logs of a lost connection


def impaired(error: redis.ResponseError) -> Impaired | None:
    """Return what *error* says of the broker; None where it says something of the request."""
    answer = _answer(error)
    code = _code(answer)
    return Impaired(code, answer) if code else None


def cause(error: redis.RedisError) -> Cause | None:
    """Return what *error* says of the broker, where it is an answer of the broker's."""
    if isinstance(error, Impaired):
        return CAUSES[error.code]
    if isinstance(error, redis.AuthenticationError):
        return LOGIN  # older servers give it no code
    code = _code(_answer(error))
    return CAUSES[code] if code else None


def unfit(info: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a server is of the wrong kind by its INFO, and what to do."""
    if info.get("cluster_enabled") == 1 or info.get("redis_mode") == "cluster":
        yield "it is a Redis Cluster, which Celery cannot use. Name a server that is none."
    if info.get("redis_mode") == "sentinel":
        yield "it is a Sentinel. Give the URL of the server it watches."


def seen(info: Mapping[str, Any]) -> Cause | None:
    """Return what INFO says is the matter; None for a broker that takes writes."""
    if info.get("role") == "slave":
        return REPLICA if info.get("master_link_status") == "up" else ORPHAN
    if _full(info):
        used, most = info["used_memory"], info["maxmemory"]
        return msgspec.structs.replace(FULL, text=f"{FULL.text} ({used:,} of {most:,} bytes)")
    appends = info.get("aof_enabled") == 1 and info.get("aof_last_write_status", "ok") != "ok"
    # a failed save stops writes where the server is configured so; then it counts what it refused
    saves = info.get("rdb_last_bgsave_status", "ok") != "ok" and "errorstat_MISCONF" in info
    found = (
        (info.get("loading") == 1, LOADING),
        (appends or saves, DISK),
        (info.get("min_slaves_good_slaves") == 0, ALONE),  # said only where some are demanded
    )
    return next((cause for holds, cause in found if holds), None)


def _full(info: Mapping[str, Any]) -> bool:
    """Say whether writes that need memory are refused, as ``getMaxmemoryState`` reckons it."""
    most, policy = int(info.get("maxmemory", 0)), str(info.get("maxmemory_policy", "noeviction"))
    used = int(info.get("used_memory", 0)) - int(info.get("mem_not_counted_for_evict", 0))
    return 0 < most < used and policy in {"noeviction", "unknown"}


def _answer(error: redis.RedisError) -> str:
    """Return the answer as it was sent; redis-py takes away the words that it knows."""
    return f"{error.status_code} {error}" if error.status_code else str(error)


def _code(answer: str) -> str:
    if found := _CODE.match(answer):
        return found[1] or found[2]
    return "NOPERM" if _NOPERM.match(answer) else ""
