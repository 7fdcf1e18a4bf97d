"""The command line: ``trailcourier VERB``.

A verb is a module of its name in this package with ``app``, a Typer, and a line in VERBS.  It is
imported when it is called, so that no verb waits for another one's imports.  It reads the path of
``--config`` from ``ctx.obj.config``, raises ``typer.Exit(Exit.NO)`` for a negative answer, and
does not catch errors: ``execute`` turns each into one line and an exit status.
"""

import contextlib
import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import typer.core
from typer.exceptions import Abort, TyperException

import trailcourier
from trailcourier.cli import exits
from trailcourier.cli.exits import Exit
from trailcourier.errors import Broken, ConfigError
from trailcourier.text import did_you_mean

VERBS = {
    "run": "Run a whole fleet on this host, until stopped or until the queues are drained.",
    "demo": "Forward simulated traffic from an emulated AWS into files, and count every record.",
    "setup": "Create the AWS side: trail, bucket, topic, queue and permissions.",
    "check": "Report everything that is wrong with the configuration, offline.",
    "config": "Show the effective configuration and what sets it, or the schema of the file.",
    "doctor": "Find what keeps records from arriving, from credentials to the sink, and the fix.",
    "status": "Show what each source has in hand and has done, what is paused, and the fix.",
    "quarantine": "List what was refused and why; retry it, or drop its entry.",
    "dlq": "List the messages of the dead-letter queues, and move them back.",
    "filter": "Show which records of a log file a filter drops, and by which rule.",
    "tap": "Show what flows: the newest log files of a source, or their records.",
    "sink": "Test a sink by itself.",
    "support-bundle": "Collect what a person needs to help you, without secrets, in one file.",
    "healthcheck": "Check whether a process on this host is healthy; for containers.",
}


@dataclass
class Invocation:
    """The options shared by all verbs; every context has it as ``obj``."""

    config: Path | None = None
    debug: bool = False


class Verbs(typer.core.TyperGroup):
    """Imports each verb when it is called, and accepts the shared options anywhere."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        if cmd_name not in VERBS:
            return None
        module = f"{__name__}.{cmd_name.replace('-', '_')}"
        command: Any = typer.main.get_command(importlib.import_module(module).app)
        _share(command, [each for each in self.params if each.name in {"config", "debug"}])
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            error.message = f"{error.message.rstrip('.')}{did_you_mean(args[0], VERBS)}"
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader closed the pipe, such as `head`
            raise typer.Exit(128 + signal.SIGPIPE) from None


def _share(command: Any, options: list[Any]) -> None:
    """Add *options* to *command* and its subcommands, and drop its markup and completion."""
    own = [each for each in command.params if not each.name.endswith("_completion")]
    command.params = [*own, *options]
    command.rich_markup_mode = None
    for below in getattr(command, "commands", {}).values():
        _share(below, options)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"trailcourier {trailcourier.__version__}")
        raise typer.Exit


def _keep_config(ctx: typer.Context, value: Path | None) -> None:
    if value is not None:
        ctx.obj.config = value


def _keep_debug(ctx: typer.Context, value: bool) -> None:
    ctx.obj.debug = ctx.obj.debug or value


app = typer.Typer(
    name="trailcourier",
    cls=Verbs,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    subcommand_metavar="VERB",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The configuration; else TRAILCOURIER_CONFIG, ./trailcourier.toml, "
            "/etc/trailcourier/trailcourier.toml.",
            callback=_keep_config,
            expose_value=False,
        ),
    ] = None,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Show the traceback of a bug.",
            callback=_keep_debug,
            expose_value=False,
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Forward AWS CloudTrail log files from S3 to a SIEM, losing nothing on the way."""
    del config, debug, version  # their callbacks have stored them
    if ctx.invoked_subcommand is None:
        print(ctx.get_help(), file=sys.stderr)
        raise typer.Exit(Exit.USAGE)


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run the command line; print an error as one line, and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    invocation = Invocation()
    try:
        command = typer.main.get_command(app)
        done = command.main(
            list(arguments), prog_name="trailcourier", standalone_mode=False, obj=invocation
        )
        code = done if isinstance(done, int) else Exit.DONE
    except Exception as error:  # noqa: BLE001 - any error becomes a line and a status
        _explain(error, invocation)
        code = exits.status(error)
    with contextlib.suppress(ValueError):  # closed already
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_stdout()
    return int(code)


def _explain(error: Exception, invocation: Invocation) -> None:
    if invocation.debug and exits.status(error) is not Exit.USAGE:
        traceback.print_exception(error)
    match error:
        case ConfigError():
            lines: Sequence[str] = error.problems
        case Abort():
            lines = ()
        case TyperException():
            # point to the verb that was called, if the error knows it
            verb = getattr(getattr(error, "ctx", None), "command_path", "trailcourier")
            lines = [f"{error.format_message().rstrip('.')}; see `{verb} --help`"]
        case Broken():
            lines = str(error).splitlines()
        case _ if exits.status(error) is Exit.BUG:
            lines = [f"a bug: {_where(error)}. Please report it with what `--debug` shows."]
        case _:
            lines = [str(error)]
    for line in lines:
        print(f"trailcourier: {line}", file=sys.stderr)


def _where(error: Exception) -> str:
    """Return the class of *error* and the line that raised it; its text may quote a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    home = str(Path(__file__).parents[1])
    ours = [each for each in frames if each.filename.startswith(home) and each.filename != __file__]
    last = (ours or frames)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def _discard_stdout() -> None:
    """Redirect stdout to the null device, so that the flush at exit does not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
