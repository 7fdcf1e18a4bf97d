"""``trailcourier config``: the effective configuration, and the schema of the file."""

import json
from collections.abc import Iterator
from pathlib import Path

import typer

from trailcourier import settings
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.output import AsJson
from trailcourier.errors import ConfigError
from trailcourier.settings import effective
from trailcourier.settings.json_schema import json_schema
from trailcourier.settings.toml_text import toml_lines
from trailcourier.text import printable

app = typer.Typer(help="Show the effective configuration, or the schema of the file.")


@app.callback()
def _config() -> None:
    """Show the effective configuration, or the schema of the file."""


@app.command()
def show(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show the value of every key, and what sets it: the file, a variable, or the default.

    Prints TOML that loads to the same configuration. Secrets stay references, and URLs have no
    passwords. Exits with 78 if the configuration is invalid, and names every problem.
    """
    try:
        _show(ctx.obj.config, as_json=as_json)
    except ConfigError as error:
        if not as_json:
            raise
        output.say_json({"problems": error.problems, "file": "", "values": [], "environment": {}})
        raise typer.Exit(Exit.CONFIG) from None


@app.command()
def schema() -> None:
    """Print the JSON Schema of trailcourier.toml, for editors; needs no configuration.

    `trailcourier check` finds more: what depends on several keys, on files and on variables.
    """
    print(json.dumps(json_schema(), indent=2))


def _show(path: Path | None, *, as_json: bool) -> None:
    if not as_json:
        for line in config_lines(path):
            print(line)
        return
    found = settings.load(path)
    origins = effective.read_origins(path)
    values = effective.effective_values(found, origins)
    others = effective.environment_values()
    output.say_json({"problems": [], "file": origins.file, "values": values, "environment": others})


def config_lines(path: Path | None) -> Iterator[str]:
    """Yield the effective configuration as TOML, without secrets; raises ConfigError."""
    values = effective.effective_values(settings.load(path), effective.read_origins(path))
    yield from toml_lines(values)
    yield from _environment_lines(effective.environment_values())


def _environment_lines(variables: dict[str, str]) -> Iterator[str]:
    if variables:
        yield "# Variables that are no keys of this file:"
    for name, value in variables.items():
        yield f"# {name} = {printable(value)}"
