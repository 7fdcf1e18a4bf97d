"""``trailcourier setup``: plan, create, destroy and export the AWS side."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from trailcourier import provision, settings
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.output import AsJson
from trailcourier.cli.setup import (
    apply_command,
    destroy_command,
    memory,
    new_key,
    plan_command,
    report,
)
from trailcourier.cli.setup.account import SetupAccount
from trailcourier.cli.setup.choices import with_setup_options
from trailcourier.cli.setup.result import ApplyOptions
from trailcourier.provision import AccountFacts, Layout, SetupRequest
from trailcourier.provision.export import FORMATS, Format, module_folder, terraform

app = typer.Typer(help="Create the AWS side: trail, bucket, topic, queue and permissions.")

Profile = Annotated[
    str, typer.Option(metavar="NAME", help="Use this profile of the AWS config files.")
]
ExternalId = Annotated[
    str,
    typer.Option(
        metavar="REF",
        help="The external id for --reader cross-account or --bucket-role: env:NAME, file:/path.",
    ),
]
Write = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Add the source to this configuration; default: print it."),
]
Sinks = Annotated[
    list[str] | None,
    typer.Option("--sink", metavar="NAME", help="A sink that the source delivers to; repeatable."),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write a new secret access key there, readable by you only."),
]
# options of apply that plan and destroy accept and ignore, so that a command line can be reused
Ignored = Annotated[str, typer.Option(hidden=True)]
IgnoredList = Annotated[list[str] | None, typer.Option("--sink", hidden=True)]
Wait = Annotated[
    int,
    typer.Option(
        min=0, max=7200, metavar="SECONDS", help="How long to wait for the first log file."
    ),
]


@app.command(name="plan")
@with_setup_options(remembers=True)
def show_plan(
    request: SetupRequest,
    *,
    profile: Profile = "",
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask AWS; needs no credentials.")
    ] = False,
    write: Write = None,
    sink: Sinks = None,
    secret_file: SecretFile = None,
    external_id: ExternalId = "",
    wait: Ignored = "",
    as_json: AsJson = False,
) -> None:
    """Show what apply would do with the same options, and change nothing.

    With credentials it reads what exists; without, it says what it does not know.
    """
    del wait
    options = ApplyOptions(
        write=write, sinks=tuple(sink or ()), secret_file=secret_file, external_id=external_id
    )
    planned, lines = plan_command.plan(SetupAccount(request, profile), options, offline=offline)
    if as_json:
        output.say_json(planned)
    else:
        report.say_lines(lines)


@app.command()
@with_setup_options(remembers=True)
def apply(
    request: SetupRequest,
    *,
    profile: Profile = "",
    write: Write = None,
    sink: Sinks = None,
    secret_file: SecretFile = None,
    external_id: ExternalId = "",
    wait: Wait = 10,
    as_json: AsJson = False,
) -> None:
    """Create the AWS side, receive once, and have doctor check the source that uses it.

    Resources that are as planned stay unchanged; run it again after a failure, and it continues.
    Reads a log file as the collector if there is one, and sends a new source's sinks a test record.
    Exits with 1 if another account has to allow something, or the source does not work.
    """
    options = ApplyOptions(
        write=write, sinks=tuple(sink or ()), secret_file=secret_file, external_id=external_id,
        wait=wait, as_json=as_json,
    )  # fmt: skip
    result = apply_command.apply(SetupAccount(request, profile), options)
    memory.save(profile, request, options.to_remember(), result.account)
    if as_json:
        output.say_json(result)
    if not result.good:
        raise typer.Exit(Exit.NO)


@app.command()
@with_setup_options(remembers=True)
def destroy(
    request: SetupRequest,
    *,
    profile: Profile = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    write: Annotated[Path | None, typer.Option(hidden=True)] = None,
    sink: IgnoredList = None,
    secret_file: Annotated[Path | None, typer.Option(hidden=True)] = None,
    external_id: Ignored = "",
    wait: Ignored = "",
    as_json: AsJson = False,
) -> None:
    """Remove what setup created with the same options; never a log file.

    Removes only what carries the tag "trailcourier", and our entries in others' policies. Says
    first how many messages wait in the queues. Key files get the ending ".deleted".
    """
    del sink, external_id, wait
    if as_json and not yes:
        raise typer.BadParameter("--json: cannot ask for confirmation: add --yes")
    files = new_key.find_key_files(request, secret_file, write or settings.find())
    account = SetupAccount(request, profile)
    if not destroy_command.destroy(account, files, yes=yes, as_json=as_json):
        raise typer.Exit(Exit.NO)
    memory.forget(profile, request.name)


@app.command()
@with_setup_options(remembers=False)
def export(
    request: SetupRequest,
    format_: Annotated[
        Format,
        typer.Argument(metavar="FORMAT", help="terraform (.tf.json), cloudformation or cli."),
    ],
    profile: Profile = "",
    module: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write Terraform as a module, without a provider."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the plan for somebody else to apply: as Terraform, CloudFormation or a script.

    Needs no credentials where --account (and --bucket-region, --organization-id) give what AWS
    would be asked.
    """
    if module and format_ != "terraform":
        raise typer.BadParameter(f"--module: only Terraform has modules, not {format_}")
    facts = AccountFacts()
    if provision.list_unknown(request, facts):
        facts = SetupAccount(request, profile).collect_with_trails()
    for line in report.warn_of_second_trail(Layout(request, facts)):
        print(f"trailcourier: {line}", file=sys.stderr)
    layout, steps = Layout(request, facts), provision.plan(request, facts)
    if module:
        written = module_folder.write(module, terraform.module(layout, steps))
        output.say_lines(f"written: {path}" for path in written)
        return
    text = FORMATS[format_](layout, steps)
    if as_json:
        output.say_json({"format": format_, "text": text})
    else:
        print(text, end="")
