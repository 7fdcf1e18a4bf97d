"""All of Trailcourier on one host: a broker if none is configured, workers and the clock."""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
import redis

from trailcourier import broker, wiring
from trailcourier.errors import ConfigError
from trailcourier.fleet import Fleet, Member, members, surroundings
from trailcourier.secret import Secret
from trailcourier.settings import Settings, environment
from trailcourier.sinks import folders
from trailcourier.watch import watch

PRIVATE = "TRAILCOURIER_PRIVATE_BROKER"  # names the private broker's URL to the children
LISTED = "url"  # the file that names it to this user's other commands


class Host(msgspec.Struct, frozen=True):
    """What runs here: the fleet, and the configuration as its processes have it."""

    fleet: Fleet
    settings: Settings


@contextmanager
def running(
    found: Settings,
    *,
    say: Callable[[str], None],
    more: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    beside: Sequence[Member] = (),
    log: BinaryIO | None = None,
) -> Iterator[Host]:
    """Run a fleet for *found* until the block ends or a signal comes.

    *more* is added to the children's environment, which is *env* or this process's own; *beside*
    are further processes, started first; what all of them say goes to *log*, or stderr.  This
    process is wired to the same broker.  Raises Unreachable or ConfigError where the broker will
    not do, and Broken, at the end, if a process of the fleet cannot be kept running.
    """
    with ExitStack() as stack:
        told = surroundings(environment.environ() if env is None else env) | dict(more or {})
        if found.path is not None:
            told[environment.CONFIG] = str(Path(found.path).absolute())
        private = None
        if found.broker.url is None:
            private = stack.enter_context(_private_broker(found))
            stack.enter_context(_listed(private))
            say(
                f"no broker is configured: started {private.program} for this host alone, data in "
                f"{_place(found)}"
            )
            told |= {PRIVATE: private.url, "TRAILCOURIER_BROKER__URL": f"env:{PRIVATE}"}
            found = _on(found, private.url)
        wiring.configure(found)
        wiring.demand_broker()
        watched = stack.enter_context(watch(found))
        staff = [*beside, *watched.over(members(processes=found.workers.processes))]
        fleet = Fleet(staff, environment=told, say=say, log=log, broker=private)
        with watched.serving(fleet.stopping), fleet:
            yield Host(fleet, found)


@contextmanager
def at_hand(found: Settings) -> Iterator[Settings]:
    """Give *found* with the private broker of this host's runs: of the one that runs, or its data.

    Where one is configured, or none ever ran here, *found* is given as it is.
    """
    if found.broker.url is not None or not _place(found).is_dir():
        yield found
    elif url := _listening(_place(found)):
        yield _on(found, url)
    else:
        with _private_broker(found) as private:
            yield _on(found, private.url)


def beside(found: Settings) -> Settings:
    """Give *found* with the private broker of a run on this host, if one runs; none is started."""
    if found.broker.url is None and (url := _listening(_place(found))):
        return _on(found, url)
    return found


def _place(found: Settings) -> Path:
    return found.workers.state_dir / "broker"


def _on(found: Settings, url: str) -> Settings:
    """*found* with the broker at *url*."""
    known = found.broker.model_copy(update={"url": Secret(f"env:{PRIVATE}", {PRIVATE: url})})
    return found.model_copy(update={"broker": known})


def _private_broker(found: Settings) -> broker.Embedded:
    where = _place(found)
    try:
        _keep_private(where)
        return broker.embedded(where)
    except OSError as error:
        at = error.filename or where
        name = "name a folder that this user alone may write to"
        text = f"{at} cannot be used: {error.strerror}; {name}"
        raise ConfigError([f"{found.path or 'environment'}: workers.state_dir: {text}"]) from error


def _keep_private(where: Path) -> None:
    """Have *where*, and the state directory that it lies in if need be, for this user alone.

    A state directory that is there keeps its mode.  Raises OSError where another user may replace
    what lies in it, made *where*, or put a link there.
    """
    where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _demand_trusted(where.parent)
    where.mkdir(mode=0o700, exist_ok=True)
    found = where.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "it is not this user's")
    where.chmod(0o700)


def _demand_trusted(place: Path) -> None:
    """Raise PermissionError where others could put a broker of theirs in the place of ours."""
    found = place.stat()
    if found.st_uid not in {0, os.geteuid()}:
        raise PermissionError(errno.EPERM, "it belongs to another user", str(place))
    if folders.replaceable(found):
        text = f"others may write to it (`chmod go-w {place}`)"
        raise PermissionError(errno.EPERM, text, str(place))


@contextmanager
def _listed(private: broker.Embedded) -> Iterator[None]:
    """Have the broker's address, password and all, where its user alone can read it."""
    path = private.directory / LISTED
    path.unlink(missing_ok=True)
    path.touch(0o600, exist_ok=False)
    path.write_text(private.url)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _listening(where: Path) -> str:
    """The address of the private broker that runs in *where*, or nothing."""
    try:
        url = (where / LISTED).read_text()
        with broker.connect(url) as client:
            client.ping()
    except (OSError, redis.RedisError, ConfigError):  # left by a run that was killed
        return ""
    return url
