"""Starts a whole fleet on this host: a broker if none is configured, workers and beat."""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
import redis

from trailcourier import wiring
from trailcourier.errors import ConfigError
from trailcourier.host import embedded_broker
from trailcourier.host.health import watch
from trailcourier.host.specs import ProcessSpec, clean_environment, process_specs
from trailcourier.host.supervisor import Fleet
from trailcourier.ledger import broker
from trailcourier.secret import Secret
from trailcourier.settings import Settings, environment
from trailcourier.sinks import folders

PRIVATE = "TRAILCOURIER_PRIVATE_BROKER"  # gives the private broker's URL to the children
URL_FILE = "url"  # gives it to other commands of this user


class LocalFleet(msgspec.Struct, frozen=True):
    """A fleet that runs on this host, and the configuration of its processes."""

    fleet: Fleet
    settings: Settings


@contextmanager
def running(
    found: Settings,
    *,
    say: Callable[[str], None],
    more: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    extra: Sequence[ProcessSpec] = (),
    log: BinaryIO | None = None,
) -> Iterator[LocalFleet]:
    """Run a fleet for *found* until the block ends or a signal comes.

    *more* is added to the children's environment, which is *env* or this process's own.  *extra*
    processes start before the fleet's.  The output of all goes to *log*, or to stderr.  This
    process uses the same broker.  Raises Unreachable or ConfigError if the broker is not usable,
    and Broken, at the end, if a process of the fleet keeps ending.
    """
    with ExitStack() as stack:
        variables = clean_environment(environment.environ() if env is None else env) | dict(
            more or {}
        )
        if found.path is not None:
            variables[environment.CONFIG] = str(Path(found.path).absolute())
        private = None
        if found.broker.url is None:
            private = stack.enter_context(_private_broker(found))
            stack.enter_context(_url_written(private))
            say(
                f"no broker is configured: started {private.program} for this host alone, data in "
                f"{_broker_folder(found)}"
            )
            variables |= {PRIVATE: private.url, "TRAILCOURIER_BROKER__URL": f"env:{PRIVATE}"}
            found = _with_url(found, private.url)
        wiring.configure(found)
        wiring.demand_broker()
        health = stack.enter_context(watch(found))
        specs = process_specs(processes=found.workers.processes)
        members = [*extra, *health.watched(specs)]
        fleet = Fleet(members, environment=variables, say=say, log=log, broker=private)
        with health.serving(fleet.stopping), fleet:
            yield LocalFleet(fleet, found)


@contextmanager
def with_broker(found: Settings) -> Iterator[Settings]:
    """Yield *found* with the private broker of this host: the running one, or one on its data.

    If a broker is configured, or none ever ran here, *found* is yielded unchanged.
    """
    if found.broker.url is not None or not _broker_folder(found).is_dir():
        yield found
    elif url := _running_url(_broker_folder(found)):
        yield _with_url(found, url)
    else:
        with _private_broker(found) as private:
            yield _with_url(found, private.url)


def with_running_broker(found: Settings) -> Settings:
    """Return *found* with the private broker that runs on this host, if any; starts none."""
    if found.broker.url is None and (url := _running_url(_broker_folder(found))):
        return _with_url(found, url)
    return found


def _broker_folder(found: Settings) -> Path:
    return found.workers.state_dir / "broker"


def _with_url(found: Settings, url: str) -> Settings:
    """Return *found* with the broker at *url*."""
    known = found.broker.model_copy(update={"url": Secret(f"env:{PRIVATE}", {PRIVATE: url})})
    return found.model_copy(update={"broker": known})


def _private_broker(found: Settings) -> embedded_broker.EmbeddedBroker:
    where = _broker_folder(found)
    try:
        _make_private(where)
        return embedded_broker.start_broker(where)
    except OSError as error:
        at = error.filename or where
        advice = "set a folder that only this user may write to"
        text = f"{at} cannot be used: {error.strerror}; {advice}"
        raise ConfigError([f"{found.path or 'environment'}: workers.state_dir: {text}"]) from error


def _make_private(where: Path) -> None:
    """Create *where*, and the state directory around it if missing, for this user alone.

    An existing state directory keeps its mode.  Raises OSError if another user may replace files
    in it, owns *where*, or put a link there.
    """
    where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _demand_trusted(where.parent)
    where.mkdir(mode=0o700, exist_ok=True)
    found = where.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "it is not this user's folder")
    where.chmod(0o700)


def _demand_trusted(place: Path) -> None:
    """Raise PermissionError if another user could replace the broker's files in *place*."""
    found = place.stat()
    if found.st_uid not in {0, os.geteuid()}:
        raise PermissionError(errno.EPERM, "it belongs to another user", str(place))
    if folders.others_may_replace(found):
        text = f"others may write to it (`chmod go-w {place}`)"
        raise PermissionError(errno.EPERM, text, str(place))


@contextmanager
def _url_written(private: embedded_broker.EmbeddedBroker) -> Iterator[None]:
    """Write the broker's URL, with its password, to a file that only this user can read."""
    path = private.directory / URL_FILE
    path.unlink(missing_ok=True)
    path.touch(0o600, exist_ok=False)
    path.write_text(private.url)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _running_url(where: Path) -> str:
    """Return the URL of the private broker that runs in *where*, or nothing."""
    try:
        url = (where / URL_FILE).read_text()
        with broker.connect(url) as client:
            client.ping()
    except (OSError, redis.RedisError, ConfigError):  # left by a run that was killed
        return ""
    return url
