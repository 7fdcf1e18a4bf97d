"""Brokers that answer and cannot serve: each state as a real server comes to it, and out of it."""

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.fleet import until
from tests.support.servers import free_port
from trailcourier.host.embedded_broker import EmbeddedBroker

PATIENCE = 5  # seconds; the server may be frozen as well
State = Callable[[EmbeddedBroker], AbstractContextManager[None]]


def administrator(running: EmbeddedBroker, *, patience: float | None = PATIENCE) -> Any:
    """A client of a user whom no state keeps out; it tries everything once."""
    once = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(running.url, retry=once, socket_timeout=PATIENCE) as client:
        rights = {"categories": ["+@all"], "keys": ["*"], "channels": ["*"]}
        client.acl_setuser("administrator", enabled=True, passwords=["+admin"], **rights)
    address = running.url.partition("@")[2]
    url = f"redis://administrator:admin@{address}"
    return redis.Redis.from_url(url, retry=once, socket_timeout=patience)


@contextlib.contextmanager
def full(running: EmbeddedBroker) -> Iterator[None]:
    """OOM."""
    with administrator(running) as client:
        client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            client.config_set("maxmemory", 0)


@contextlib.contextmanager
def replica(running: EmbeddedBroker, *, stale: bool = True) -> Iterator[None]:
    """UNBLOCKED to who waits, READONLY to who writes, and without *stale* MASTERDOWN to all."""
    with administrator(running) as client:
        client.config_set("replica-serve-stale-data", "yes" if stale else "no")
        client.replicaof("127.0.0.1", free_port())
        yield
        client.replicaof("no", "one")


def orphan(running: EmbeddedBroker) -> AbstractContextManager[None]:
    """MASTERDOWN."""
    return replica(running, stale=False)


@contextlib.contextmanager
def unsaved(running: EmbeddedBroker) -> Iterator[None]:
    """MISCONF: the last save failed, as a folder has the name of its file."""
    taken = running.directory / "dump.rdb"
    if taken.is_file():
        taken.unlink()  # of a save that came to something
    (taken / "something").mkdir(parents=True, exist_ok=True)
    with administrator(running) as client:
        client.config_set("save", "86400 1000000")
        _save(client, "err")
        yield
        shutil.rmtree(taken)
        _save(client, "ok")
        client.config_set("save", "")


def _save(client: Any, comes_to: str) -> None:
    client.bgsave()
    until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == comes_to)


@contextlib.contextmanager
def alone(running: EmbeddedBroker) -> Iterator[None]:
    """NOREPLICAS."""
    with administrator(running) as client:
        client.config_set("min-replicas-to-write", 1)
        yield
        client.config_set("min-replicas-to-write", 0)


@contextlib.contextmanager
def busy(running: EmbeddedBroker) -> Iterator[None]:
    """BUSY: a script that never ends."""
    with administrator(running) as client, administrator(running, patience=None) as other:
        client.config_set("lua-time-limit", 20)  # as Redis 6 calls it, too
        thread = threading.Thread(target=_run_for_ever, args=[other])
        thread.start()
        until(lambda: _answer(client.ping).startswith("BUSY"))
        yield
        client.script_kill()
        thread.join(10)


def _run_for_ever(client: Any) -> None:
    with contextlib.suppress(redis.RedisError):  # killed, alone or with its server
        client.eval("while true do end", 0)


def _answer(ask: Callable[[], object]) -> str:
    try:
        return str(ask())
    except redis.RedisError as error:
        return str(error)


@contextlib.contextmanager
def other_password(running: EmbeddedBroker) -> Iterator[None]:
    """WRONGPASS, for everybody: connections that stood are closed."""
    password = running.url.split(":")[2].split("@")[0]
    with administrator(running) as client:
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="normal", skipme=True)
        yield
        client.config_set("requirepass", password)


@contextlib.contextmanager
def forbidden(running: EmbeddedBroker) -> Iterator[None]:
    """NOPERM for what every worker does."""
    commands = ("brpop", "evalsha", "eval", "hset", "set")
    with administrator(running) as client:
        client.execute_command("ACL", "SETUSER", "default", *(f"-{each}" for each in commands))
        yield
        client.execute_command("ACL", "SETUSER", "default", *(f"+{each}" for each in commands))


@contextlib.contextmanager
def forbidden_in_scripts(running: EmbeddedBroker) -> Iterator[None]:
    """NOPERM for a command of the script by which a worker takes its tasks."""
    with administrator(running) as client:
        client.execute_command("ACL", "SETUSER", "default", "-rpop")
        yield
        client.execute_command("ACL", "SETUSER", "default", "+rpop")


@contextlib.contextmanager
def unblocked(running: EmbeddedBroker) -> Iterator[None]:
    """UNBLOCKED, once, for who waits for a task."""
    with administrator(running) as client:
        until(lambda: _unblock(client))
        yield


def _unblock(client: Any) -> bool:
    waiting = [each["id"] for each in client.client_list() if each["cmd"] == "brpop"]
    return any(client.client_unblock(each, error=True) for each in waiting)


@contextlib.contextmanager
def in_the_way(running: EmbeddedBroker) -> Iterator[None]:
    """WRONGTYPE for who takes tasks: something else has the name of their queue."""
    queue = "trailcourier:1:celery:objects"
    with administrator(running) as client:
        client.set(queue, "not a list")
        yield
        client.delete(queue)


STATES: dict[str, State] = {
    "OOM": full,
    "READONLY": replica,
    "MASTERDOWN": orphan,
    "MISCONF": unsaved,
    "NOREPLICAS": alone,
    "BUSY": busy,
    "WRONGPASS": other_password,
    "NOPERM": forbidden,
    "NOPERM in scripts": forbidden_in_scripts,
    "UNBLOCKED": unblocked,
    "WRONGTYPE": in_the_way,
}
