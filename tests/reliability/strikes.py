"""How each kind of strike is made, and what undoes it."""

import contextlib
import errno
import os
import secrets
import shutil
import signal
from collections.abc import Callable

import redis

from tests.reliability.world import World
from tests.support.fleet import until
from tests.support.impaired import STATES, administrator
from trailcourier.host import child_process

FILLER = 1 << 20  # bytes at a time
LOADED = 16_384  # commands; Redis answers amid its loading after each 1,024
LOADS_SLOWLY = "key-load-delay"  # microseconds for each of them

Heal = Callable[[], object]


def strike(world: World, what: str) -> Heal:
    """Strike *what*; the answer undoes it.  A broker that is away by another strike raises."""
    kind, _, name = what.partition(" ")
    heal = STRIKES.get(kind, _kill)(world, name or kind)

    def healed() -> None:
        # killed meanwhile, which undid it too
        with contextlib.suppress(redis.RedisError):
            heal()

    return healed


def _nothing() -> None:
    """Undo nothing: it repairs itself."""


def _kill(world: World, name: str) -> Heal:
    world.kill(name)
    world.spawn(name)
    return _nothing


def _empty(world: World, _: str) -> Heal:
    world.server.start()
    with administrator(world.server) as client:
        client.flushall()
    return _nothing


def _end_broker(world: World, how: str) -> Heal:
    child_process.kill(world.server.process)
    if how == "without data":
        shutil.rmtree(world.server.directory / "appendonlydir", ignore_errors=True)
    return world.server.start


def _set_clock(world: World, how: str) -> Heal:
    """Set the clock of a process's host, or the one the ledger goes by, and later set it right."""
    name, _, text = how.partition(" ")
    seconds = int(text)
    if name == "broker":
        _set_ledger(world, seconds)
        return lambda: _set_ledger(world, -seconds)
    world.hosts[name].set(seconds)
    return lambda: world.hosts[name].set(0)


def _set_ledger(world: World, seconds: int) -> None:
    with administrator(world.server) as client:
        client.incrby("trailcourier:1:offset", seconds * 1000)


def _freeze(world: World, name: str) -> Heal:
    """Stop a process, as a host does that swaps or a container that is throttled."""
    process = world.server.process if name == "broker" else world.processes[name].process
    child_process.send(process, signal.SIGSTOP)
    return lambda: child_process.send(process, signal.SIGCONT)


def _stall(world: World, what: str) -> Heal:
    """Let requests wait for an answer until they give up."""
    if what == "bucket":
        world.s3.fault("*", hang=True, times=-1)
        return world.s3.heal
    if what == "queue":
        world.sqs.fault("ReceiveMessage", hang=True, times=-1)
        return world.sqs.heal
    return _stall_network(world, what.partition(" ")[2])


def _stall_network(world: World, name: str) -> Heal:
    """Carry nothing between the broker and one process, or any; what was sent comes later."""
    struck = [world.hosts[name]] if name else [*world.hosts.values()]
    for host in struck:
        host.network.stall()

    def flow() -> None:
        for host in struck:
            host.network.flow()

    return flow


def _answer(world: World, code: str) -> Heal:
    """Let the broker answer with errors, by itself."""
    state = contextlib.ExitStack()
    state.enter_context(STATES[code](world.server))
    return state.close


def _load(world: World, _: str) -> Heal:
    """Start the broker again with so much to load that it answers LOADING until it is helped."""
    server = world.server
    with administrator(server) as client, client.pipeline(transaction=False) as pipe:
        for _each in range(LOADED):
            pipe.incr("filler")
        pipe.execute()
        until(lambda: _appended(client.info("persistence")))
    child_process.kill(server.process)
    plain = server._configuration
    server._configuration = lambda port: f"{plain(port)}{LOADS_SLOWLY} 50\n"
    try:
        server.process = server._spawn(server._port)
    finally:
        del server._configuration
    return lambda: _loaded(world)


def _appended(info: dict[str, int]) -> bool:
    return not info["aof_buffer_length"] and not info["aof_pending_bio_fsync"]


def _loaded(world: World) -> None:
    with redis.Redis.from_url(world.server.url, socket_timeout=10) as client:
        client.config_set(LOADS_SLOWLY, 0)
        until(lambda: not client.info("persistence")["loading"])
        client.delete("filler")


def _rotate(world: World, _: str) -> Heal:
    """Change the broker's password and cut who has the old one; the files learn it later."""
    password = secrets.token_urlsafe(24)
    with administrator(world.server) as client:
        client.config_set("requirepass", password)
        world.server._password = password  # and after a start it is the same
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)

    def tell() -> None:
        for host in world.hosts.values():
            host.tell(world.server.url)

    return tell


def _fill(world: World, _: str) -> Heal:
    """Fill the disk of the outputs, which must be a small one of its own."""
    filler = world.folder / "out" / "filler"
    handle = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(handle, bytes(FILLER))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(handle)
    return lambda: filler.unlink(missing_ok=True)


STRIKES: dict[str, Callable[[World, str], Heal]] = {
    "flushall": _empty,
    "broker": _end_broker,
    "freeze": _freeze,
    "clock": _set_clock,
    "stalled": _stall,
    "full": _fill,
    "answers": _answer,
    "loading": _load,
    "rotation": _rotate,
}
