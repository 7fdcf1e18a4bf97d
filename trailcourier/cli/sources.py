"""Which sources a verb is about, and the broker that knows how they stand."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from trailcourier import host, settings, wiring
from trailcourier.settings import Settings


@contextmanager
def asked(ctx: typer.Context, source: str) -> Iterator[list[str]]:
    """The sources to speak of, *source* alone if one is named, with the broker at hand.

    Raises ConfigError for an unknown source, Unreachable where the broker does not answer.
    """
    with host.at_hand(quiet(settings.load(ctx.obj.config))) as found:
        wiring.configure(found)
        names = [wiring.known(source)] if source else list(found.sources)
        wiring.demand_broker()
        with wiring.answering():
            yield names


def quiet(found: Settings) -> Settings:
    """Like *found*, but a verb's own answer is news enough."""
    if found.workers.log_level in {"debug", "error"}:
        return found
    workers = found.workers.model_copy(update={"log_level": "warning"})
    return found.model_copy(update={"workers": workers})
