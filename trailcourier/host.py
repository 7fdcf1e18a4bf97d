"""All of Trailcourier on one host: a broker if none is configured, workers and the clock."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from trailcourier import broker, wiring
from trailcourier.errors import ConfigError
from trailcourier.fleet import Fleet, Member, members, surroundings
from trailcourier.secret import Secret
from trailcourier.settings import Settings, environment

PRIVATE = "TRAILCOURIER_PRIVATE_BROKER"  # names the private broker's URL to the children


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
    private = _private_broker(found, say) if found.broker.url is None else None
    try:
        told = surroundings(environment.environ() if env is None else env) | dict(more or {})
        if found.path is not None:
            told[environment.CONFIG] = str(Path(found.path).absolute())
        if private is not None:
            told |= {PRIVATE: private.url, "TRAILCOURIER_BROKER__URL": f"env:{PRIVATE}"}
            secret = Secret(f"env:{PRIVATE}", {PRIVATE: private.url})
            known = found.broker.model_copy(update={"url": secret})
            found = found.model_copy(update={"broker": known})
        wiring.configure(found)
        wiring.demand_broker()
        staff = [*beside, *members(processes=found.workers.processes)]
        with Fleet(staff, environment=told, say=say, log=log, broker=private) as fleet:
            yield Host(fleet, found)
    finally:
        if private is not None:
            private.close()


def _private_broker(found: Settings, say: Callable[[str], None]) -> broker.Embedded:
    where = found.workers.state_dir / "broker"
    try:
        started = broker.embedded(where)
    except OSError as error:
        text = f"{where} cannot be used: {error.strerror}; name a folder this user may write to"
        raise ConfigError([f"{found.path or 'environment'}: workers.state_dir: {text}"]) from error
    say(f"no broker is configured: started {started.program} for this host alone, data in {where}")
    return started
