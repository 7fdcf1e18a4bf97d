"""The options that describe a set-up: the same for every verb of ``setup``."""

import functools
import inspect
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from trailcourier import provision
from trailcourier.aws import regions
from trailcourier.cli.exits import Exit
from trailcourier.provision import SetupRequest
from trailcourier.provision.request import Delivery, PolicyForm, Reader
from trailcourier.settings import botocore_data


class Encrypt(StrEnum):
    """What a KMS key may encrypt. An Enum, because typer takes no list of a Literal."""

    LOGS = "logs"
    QUEUE = "queue"
    TOPIC = "topic"


def _option(name: str, kind: Any, default: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


def _text(name: str, metavar: str, text: str, default: str = "") -> inspect.Parameter:
    return _option(name, str, default, typer.Option(metavar=metavar, help=text))


def _switch(name: str, flags: str, text: str, *, default: bool = False) -> inspect.Parameter:
    return _option(name, bool, default, typer.Option(flags, help=text))


OPTIONS = (
    _text(
        "name",
        "NAME",
        "Begins the name of every resource.",
        "trailcourier",
    ),
    _text("source", "NAME", "The source's name in the configuration: [sources.NAME].", "prod"),
    _text(
        "region",
        "REGION",
        "The region of trail, topic and queue; legacy names such as US_STANDARD too.",
        "us-east-1",
    ),
    _text(
        "account",
        "ID",
        "The account's id; credentials of another account are refused.",
    ),
    _text("bucket", "NAME", "The bucket for log files; default: NAME-ACCOUNT-REGION."),
    _switch("existing_bucket", "--existing-bucket", "Use a bucket that exists already."),
    _text("bucket_region", "REGION", "The bucket's region; of an existing bucket, AWS is asked."),
    _text("bucket_account", "ID", "The account that owns the bucket, if another."),
    _text(
        "bucket_role",
        "ARN",
        "The role in the bucket's account that the collector assumes.",
    ),
    _text("prefix", "TEXT", "The prefix before AWSLogs/ in the bucket."),
    _switch("trail", "--trail/--no-trail", "Create a trail, or use an existing one.", default=True),
    _switch("organization", "--organization", "Record every account of the organisation."),
    _text("organization_id", "o-ID", "The organisation's id; default: AWS is asked."),
    _option(
        "data_events",
        list[str] | None,
        None,
        typer.Option(
            metavar="BUCKET|all",
            help="Also record reads and writes of objects; repeatable.",
        ),
    ),
    _option(
        "delivery", Delivery, "sns", typer.Option(help="What notifies the queue of log files.")
    ),
    _switch("raw", "--raw/--wrapped", "Deliver messages without SNS's envelope, or in it."),
    _text("topic", "ARN", "An existing topic, in this account or another."),
    _text("kms_key", "ARN|new", "Encrypt with this KMS key, or with a new one."),
    _option(
        "encrypt",
        list[Encrypt] | None,
        None,
        typer.Option(help="What the key encrypts; default: logs; repeatable."),
    ),
    _option("reader", Reader, "user", typer.Option(help="The collector's kind of identity.")),
    _text("principal", "ARN", "With --reader cross-account: who assumes the role."),
    _option(
        "policy",
        PolicyForm | None,
        None,
        typer.Option(help="The collector's permissions; default: what the options need."),
    ),
)


def _build_request(given: dict[str, Any]) -> SetupRequest:
    """Build the request from the options; each option has the name of its field."""
    fields = {each.name: given[each.name] for each in OPTIONS}
    fields["region"] = _region_code("--region", given["region"])
    fields["bucket_region"] = _region_code("--bucket-region", given["bucket_region"])
    fields["data_events"] = tuple(given["data_events"] or ())
    fields["encrypt"] = tuple(each.value for each in given["encrypt"] or (Encrypt.LOGS,))
    fields["policy"] = given["policy"] or ""
    return SetupRequest(**fields)


def _region_code(option: str, text: str) -> str:
    try:
        return botocore_data.region(regions.parse_code(text)) if text else ""
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


def with_setup_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Give *verb* every option; its first parameter receives the request built from them."""
    _, *own = inspect.signature(verb).parameters.values()

    @functools.wraps(verb)
    def called(**given: Any) -> None:
        arguments = {each.name: given.pop(each.name) for each in own}
        return verb(_checked(_build_request(given)), **arguments)

    both = [*own, *OPTIONS]
    called.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in both}
    return called


def _checked(request: SetupRequest) -> SetupRequest:
    """Return *request*, or print its problems and exit with the status for wrong usage."""
    problems = provision.check_request(request)
    for problem in problems:
        print(f"trailcourier: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(Exit.USAGE)
    return request
