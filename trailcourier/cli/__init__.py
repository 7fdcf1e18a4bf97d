"""The command line: ``trailcourier VERB``.

A verb is one module here of its name that holds ``app``, a Typer, and a line in VERBS; it is
imported when it is called, so that no verb waits for what another needs.  It finds the file that
``--config`` named in ``ctx.obj.config``, raises ``typer.Exit(Exit.NO)`` for an answer that is no,
and lets errors through: ``execute`` makes one line and the right status of each.
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
from trailcourier.printable import meant

VERBS = {
    "run": "Run a whole fleet on this host, for good or until the queues are drained.",
    "demo": "Carry simulated traffic from an emulated AWS into files, and count every record.",
    "setup": "Make the AWS side: trail, bucket, topic, queue and permissions.",
    "check": "Say what is wrong with the configuration, all at once and offline.",
    "doctor": "Say what keeps records from arriving, from credentials to the sink, and the fix.",
    "status": "Say what each source has in hand, what it has done, and what holds it up.",
    "quarantine": "Look at what was refused, carry it again, or forget it.",
    "dlq": "Look into the dead-letter queues, and move what lies there back.",
    "sink": "Try a sink by itself.",
    "healthcheck": "Say whether a process here is well; for containers.",
}


@dataclass
class Invocation:
    """What was said on the command line beside the verb; every context has it as ``obj``."""

    config: Path | None = None
    debug: bool = False


class Verbs(typer.core.TyperGroup):
    """The verbs, each imported when it is called; ``--config`` may stand anywhere."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        if cmd_name not in VERBS:
            return None
        command: Any = typer.main.get_command(importlib.import_module(f"{__name__}.{cmd_name}").app)
        _share(command, [each for each in self.params if each.name in {"config", "debug"}])
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            error.message = f"{error.message.rstrip('.')}{meant(args[0], VERBS)}"
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read our output has seen enough
            raise typer.Exit(128 + signal.SIGPIPE) from None


def _share(command: Any, options: list[Any]) -> None:
    """Let *command*, and the verbs below it, take *options*, and look like the root."""
    own = [each for each in command.params if not each.name.endswith("_completion")]
    command.params = [*own, *options]
    command.rich_markup_mode = None
    for below in getattr(command, "commands", {}).values():
        _share(below, options)


def _say_version(wanted: bool) -> None:
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
        typer.Option("--version", help="Say the version.", callback=_say_version, is_eager=True),
    ] = False,
) -> None:
    """Carry AWS CloudTrail log files from S3 to a SIEM, losing nothing on the way."""
    del config, debug, version  # their callbacks have seen to them
    if ctx.invoked_subcommand is None:
        print(ctx.get_help(), file=sys.stderr)
        raise typer.Exit(Exit.USAGE)


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; return the exit status, having said in a line what went wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    said = Invocation()
    try:
        command = typer.main.get_command(app)
        done = command.main(
            list(arguments), prog_name="trailcourier", standalone_mode=False, obj=said
        )
        code = done if isinstance(done, int) else Exit.DONE
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a line and a status
        _explain(error, said)
        code = exits.status(error)
    with contextlib.suppress(ValueError):  # closed already
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _let_stdout_go()
    return int(code)


def _explain(error: Exception, said: Invocation) -> None:
    if said.debug and exits.status(error) is not Exit.USAGE:
        traceback.print_exception(error)
    match error:
        case ConfigError():
            lines: Sequence[str] = error.problems
        case Abort():
            lines = ()
        case TyperException():
            # of the verb that was called, where the error knows it
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
    """Return the kind of *error* and the line it came from; its words may quote anything."""
    frames = traceback.extract_tb(error.__traceback__)
    home = str(Path(__file__).parents[1])
    ours = [each for each in frames if each.filename.startswith(home) and each.filename != __file__]
    last = (ours or frames)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def _let_stdout_go() -> None:
    """Send what is still to come nowhere, so that closing it at exit does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
