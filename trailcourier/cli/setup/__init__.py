"""``trailcourier setup``: the AWS side, planned, made, taken back and exported."""

from pathlib import Path
from typing import Annotated

import typer

from trailcourier import provision
from trailcourier.cli import output
from trailcourier.cli.exits import Exit
from trailcourier.cli.setup import applying, planning, telling
from trailcourier.cli.setup.account import Account
from trailcourier.cli.setup.choices import asking
from trailcourier.cli.setup.result import Wanted
from trailcourier.provision import Found, Layout, Request, Told
from trailcourier.provision.export import FORMATS, Format

app = typer.Typer(help="Make the AWS side: trail, bucket, topic, queue and permissions.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Profile = Annotated[
    str, typer.Option(metavar="NAME", help="As a profile of the AWS config files says.")
]
ExternalId = Annotated[
    str,
    typer.Option(
        metavar="REF",
        help="With --reader cross-account or --bucket-role: env:NAME or file:/path of the id.",
    ),
]


Write = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Add the source to this configuration; else print it."),
]
Sinks = Annotated[
    list[str] | None,
    typer.Option("--sink", metavar="NAME", help="Where the source sends; may be given again."),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Put a new secret access key there, for you alone."),
]
# options of apply that its own words are repeated with, and that change nothing elsewhere
Ignored = Annotated[str, typer.Option(hidden=True)]
IgnoredList = Annotated[list[str] | None, typer.Option("--sink", hidden=True)]
Wait = Annotated[int, typer.Option(min=0, max=20, help="Seconds that the first receive waits.")]


@app.command(name="plan")
@asking
def show_plan(
    request: Request,
    *,
    profile: Profile = "",
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask AWS nothing; needs no credentials.")
    ] = False,
    write: Write = None,
    sink: Sinks = None,
    secret_file: SecretFile = None,
    external_id: ExternalId = "",
    wait: Ignored = "",
    as_json: AsJson = False,
) -> None:
    """Say what apply would do with the same options, and change nothing.

    With credentials it looks at what is there; without, it says what it would find out.
    """
    del wait
    wanted = Wanted(
        write=write, sinks=tuple(sink or ()), secret_file=secret_file, external_id=external_id
    )
    planned, lines = planning.plan(Account(request, profile), wanted, offline=offline)
    if as_json:
        output.say_json(planned)
    else:
        telling.say(lines)


@app.command()
@asking
def apply(
    request: Request,
    *,
    profile: Profile = "",
    write: Write = None,
    sink: Sinks = None,
    secret_file: SecretFile = None,
    external_id: ExternalId = "",
    wait: Wait = 10,
    as_json: AsJson = False,
) -> None:
    """Make the AWS side, then check the configuration that uses it and receive once.

    What is so already stays; run it again after a failure, and it goes on from there. Exits with 1
    if something is left for somebody else to do, or the queue cannot be received from.
    """
    wanted = Wanted(
        write=write, sinks=tuple(sink or ()), secret_file=secret_file, external_id=external_id,
        wait=wait, as_json=as_json,
    )  # fmt: skip
    result = applying.apply(Account(request, profile), wanted)
    if as_json:
        output.say_json(result)
    if not result.good:
        raise typer.Exit(Exit.NO)


@app.command()
@asking
def destroy(
    request: Request,
    *,
    profile: Profile = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it.")] = False,
    write: Ignored = "",
    sink: IgnoredList = None,
    secret_file: Ignored = "",
    external_id: Ignored = "",
    wait: Ignored = "",
    as_json: AsJson = False,
) -> None:
    """Take away what setup made, with the options it was made with; never a log file.

    Only what carries the tag "trailcourier", and entries of ours in policies of others.
    """
    del write, sink, secret_file, external_id, wait
    if as_json and not yes:
        raise typer.BadParameter("--json: nobody is asked, so say --yes with it")
    account = Account(request, profile)
    found = account.found()
    steps = provision.plan(request, found)
    if not as_json:
        output.say(telling.whose(Layout(request, found), found.caller))
    if not yes:
        telling.say(telling.line(each) for each in provision.outlook(steps, account.asker(found)))
        if not _sure("Take away what is to be removed?"):
            output.say("Nothing was changed. With --yes nobody is asked.")
            raise typer.Exit(Exit.NO)
    told: list[Told] = []
    for each in provision.destroy(steps, account.asker(found)):
        told.append(each)
        if not as_json:
            output.say(telling.line(each))
    if as_json:
        output.say_json({"steps": telling.as_json(told)})
    else:
        output.say(telling.sum_of(told))
        telling.say(telling.nothing_of(request, told))


def _sure(question: str) -> bool:
    """Whether somebody says yes; nobody there is a no."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False


@app.command()
@asking
def export(
    request: Request,
    format_: Annotated[
        Format, typer.Argument(metavar="FORMAT", help="terraform, cloudformation or cli.")
    ],
    profile: Profile = "",
    as_json: AsJson = False,
) -> None:
    """Print the same plan for somebody else to carry out: as Terraform, CloudFormation or a script.

    Needs no credentials where --account (and --bucket-region, --organization-id) say what AWS
    would.
    """
    found = (
        Found() if not provision.unknown(request, Found()) else Account(request, profile).found()
    )
    text = FORMATS[format_](Layout(request, found), provision.plan(request, found))
    if as_json:
        output.say_json({"format": format_, "text": text})
    else:
        print(text, end="")
