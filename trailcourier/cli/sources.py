"""Selects the sources of a command and connects it to the broker that has their ledger."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from trailcourier import settings, wiring
from trailcourier.host import launch
from trailcourier.settings import Settings


@contextmanager
def selected(ctx: typer.Context, source: str) -> Iterator[list[str]]:
    """Yield the names of the sources, *source* alone if one is named, with the broker connected.

    Raises ConfigError for an unknown source, Unreachable if the broker does not answer.
    """
    with launch.with_broker(quiet(settings.load(ctx.obj.config))) as found:
        wiring.configure(found)
        names = [wiring.known(source)] if source else list(found.sources)
        wiring.demand_broker()
        with wiring.answering():
            yield names


def quiet(found: Settings) -> Settings:
    """Return *found* with log level warning, as the output of the command says the rest."""
    if found.workers.log_level in {"debug", "error"}:
        return found
    workers = found.workers.model_copy(update={"log_level": "warning"})
    return found.model_copy(update={"workers": workers})
