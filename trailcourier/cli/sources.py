"""Selects the sources of a command and connects it to the broker that has their ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from trailcourier import settings, wiring
from trailcourier.host import launch
from trailcourier.settings import Settings

OneSource = Annotated[str, typer.Option("--source", help="Only this source.")]


@contextmanager
def selected(ctx: typer.Context, source: str) -> Iterator[list[str]]:
    """Yield the names of the sources, *source* alone if one is named, with the broker connected.

    Raises ConfigError for an unknown source, Unreachable if the broker does not answer.
    """
    with launch.with_broker(quiet(settings.load(ctx.obj.config))) as found:
        names = configure(found, source)
        wiring.demand_broker()
        with wiring.answering():
            yield names


def configure(found: Settings, source: str) -> list[str]:
    """Configure this process; return the names of its sources, or *source* alone if it is named."""
    wiring.configure(found)
    return [wiring.known(source)] if source else list(found.sources)


def quiet(found: Settings) -> Settings:
    """Return *found* with log level warning, as the output of the command says the rest."""
    if found.workers.log_level in {"debug", "error"}:
        return found
    workers = found.workers.model_copy(update={"log_level": "warning"})
    return found.model_copy(update={"workers": workers})
