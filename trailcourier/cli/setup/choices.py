"""The options that say what is wanted: the same for every verb of ``setup``."""

import functools
import inspect
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from trailcourier import provision, regions
from trailcourier.cli.exits import Exit
from trailcourier.provision import Request
from trailcourier.provision.request import Delivery, Form, Reader
from trailcourier.settings import known


class Encrypt(StrEnum):
    """What a KMS key may encrypt; typer knows lists of an Enum, and of no Literal."""

    LOGS = "logs"
    QUEUE = "queue"
    TOPIC = "topic"


def _choice(name: str, kind: Any, default: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


def _text(name: str, metavar: str, text: str, default: str = "") -> inspect.Parameter:
    return _choice(name, str, default, typer.Option(metavar=metavar, help=text))


def _switch(name: str, flags: str, text: str, *, default: bool = False) -> inspect.Parameter:
    return _choice(name, bool, default, typer.Option(flags, help=text))


CHOICES = (
    _text("name", "NAME", "Begins the name of everything.", "trailcourier"),
    _text("source", "NAME", "The source to write: [sources.NAME].", "prod"),
    _text(
        "region",
        "REGION",
        "Where trail, topic and queue are; US_STANDARD will do too.",
        "us-east-1",
    ),
    _text("account", "ID", "The account, where no credentials say it; a check where they do."),
    _text("bucket", "NAME", "The bucket of the log files; else NAME-ACCOUNT-REGION."),
    _switch("existing_bucket", "--existing-bucket", "It is there: add to it what is needed."),
    _text("bucket_region", "REGION", "Where an existing bucket is; else AWS is asked."),
    _text("bucket_account", "ID", "Whose bucket it is, if not ours."),
    _text("bucket_role", "ARN", "A role of the bucket's account, to read the bucket as."),
    _text("prefix", "TEXT", "Goes before AWSLogs/ in the bucket."),
    _switch("trail", "--trail/--no-trail", "Make a trail, or use one that is there.", default=True),
    _switch("organization", "--organization", "Record every account of the organisation."),
    _text("organization_id", "o-ID", "The organisation; else AWS is asked."),
    _choice(
        "data_events",
        list[str] | None,
        None,
        typer.Option(
            metavar="BUCKET|all",
            help="Record reads and writes of objects too; may be given again.",
        ),
    ),
    _choice("delivery", Delivery, "sns", typer.Option(help="How the queue learns of a log file.")),
    _switch("raw", "--raw/--wrapped", "Without SNS's envelope, or in it."),
    _text("topic", "ARN", "A topic that is there, in this account or another."),
    _text("kms_key", "ARN|new", "Encrypt with this KMS key, or a new one."),
    _choice(
        "encrypt",
        list[Encrypt] | None,
        None,
        typer.Option(help="What the key encrypts, else logs; may be given again."),
    ),
    _choice("reader", Reader, "user", typer.Option(help="As whom the collector reads.")),
    _text("principal", "ARN", "With --reader cross-account: who takes the role."),
    _choice(
        "policy",
        Form | None,
        None,
        typer.Option(help="What the collector may do; else what the choices need."),
    ),
)


def _request(given: dict[str, Any]) -> Request:
    """What the choices come to: each is a field of the request, but for their spelling."""
    said = {name: given[name] for name in (each.name for each in CHOICES)}
    said["region"] = _region("--region", given["region"])
    said["bucket_region"] = _region("--bucket-region", given["bucket_region"])
    said["data_events"] = tuple(given["data_events"] or ())
    said["encrypt"] = tuple(each.value for each in given["encrypt"] or (Encrypt.LOGS,))
    said["policy"] = given["policy"] or ""
    return Request(**said)


def _region(option: str, text: str) -> str:
    try:
        return known.region(regions.code(text)) if text else ""
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


def asking(verb: Callable[..., None]) -> Callable[..., None]:
    """Let *verb* take every choice: its first parameter is the Request they come to."""
    first, *own = inspect.signature(verb).parameters.values()

    @functools.wraps(verb)
    def called(**given: Any) -> None:
        mine = {each.name: given.pop(each.name) for each in own}
        return verb(_sound(_request(given)), **mine)

    both = [*own, *CHOICES]
    called.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in both}
    del first
    return called


def _sound(request: Request) -> Request:
    problems = provision.problems(request)
    for problem in problems:
        print(f"trailcourier: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(Exit.USAGE)
    return request
