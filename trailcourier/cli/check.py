"""``trailcourier check``: check the configuration offline."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from trailcourier import settings
from trailcourier.cli.exits import Exit
from trailcourier.cli.output import AsJson
from trailcourier.errors import ConfigError
from trailcourier.settings import Settings, Source

app = typer.Typer()


@app.command()
def check(
    ctx: typer.Context,
    as_json: AsJson = False,
) -> None:
    """Report everything that is wrong with the configuration, offline.

    Exits with 78 if anything is wrong, else with 0.
    """
    try:
        result = _checked(settings.load(ctx.obj.config))
    except ConfigError as error:
        result = {"problems": list(error.problems), "warnings": [], "sources": {}}
    if as_json:
        print(json.dumps(result))
    else:
        for line in _lines(**result):
            print(line)
    raise typer.Exit(Exit.CONFIG if result["problems"] else Exit.DONE)


def _checked(found: Settings) -> dict[str, Any]:
    return {
        "problems": [],
        "warnings": found.warnings(),
        "sources": {name: _summary(source) for name, source in found.sources.items()},
    }


def _summary(source: Source) -> dict[str, Any]:
    queue = source.queue
    return {
        "queue": queue.name,
        "region": queue.region,
        "account": queue.account,
        "credentials": source.credentials.role_arn or source.credentials.kind,
        "bucket_credentials": {
            glob: each.role_arn or each.kind for glob, each in source.bucket_credentials.items()
        },
        "buckets": list(source.buckets),
        "bucket_region": source.bucket_region,
        "drops": source.drops,
        "sinks": list(source.sinks),
    }


def _lines(
    *, problems: Sequence[str], warnings: Sequence[str], sources: Mapping[str, Any]
) -> list[str]:
    return [
        *problems,
        *(f"warning: {each}" for each in warnings),
        *(_line(name, source) for name, source in sources.items()),
        _count(problems, "problem") or _count(warnings, "warning") or "Nothing is wrong.",
    ]


def _count(lines: Sequence[str], noun: str) -> str:
    """Return how many *lines* there are, or an empty string for none."""
    return f"{len(lines)} {noun}{'s' if len(lines) > 1 else ''}." if lines else ""


def _line(name: str, source: Mapping[str, Any]) -> str:
    account = f", account {source['account']}" if source["account"] else ""
    buckets = ", ".join(source["buckets"]) or "any bucket"
    where = f" in {source['bucket_region']}" if source["bucket_region"] else ""
    own = "".join(f", {glob} as {who}" for glob, who in source["bucket_credentials"].items())
    return (
        f"{name}: queue {source['queue']} in {source['region']}{account}, as "
        f"{source['credentials']}; reads {buckets}{where}{own}; {source['drops']}; "
        f"sends to {', '.join(source['sinks'])}"
    )
