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


def _option(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text)


def _request(
    *,
    name: Annotated[str, _option("NAME", "Begins the name of everything.")] = "trailcourier",
    source: Annotated[str, _option("NAME", "The source to write: [sources.NAME].")] = "prod",
    region: Annotated[
        str, _option("REGION", "Where trail, topic and queue are; US_STANDARD will do too.")
    ] = "us-east-1",
    account: Annotated[
        str, _option("ID", "The account, where no credentials say it; a check where they do.")
    ] = "",
    bucket: Annotated[
        str, _option("NAME", "The bucket of the log files; else NAME-ACCOUNT-REGION.")
    ] = "",
    existing_bucket: Annotated[
        bool, typer.Option("--existing-bucket", help="It is there: add to it what is needed.")
    ] = False,
    bucket_region: Annotated[
        str, _option("REGION", "Where an existing bucket is; else AWS is asked.")
    ] = "",
    bucket_account: Annotated[str, _option("ID", "Whose bucket it is, if not ours.")] = "",
    prefix: Annotated[str, _option("TEXT", "Goes before AWSLogs/ in the bucket.")] = "",
    trail: Annotated[
        bool, typer.Option("--trail/--no-trail", help="Make a trail, or use one that is there.")
    ] = True,
    organization: Annotated[
        bool, typer.Option("--organization", help="Record every account of the organisation.")
    ] = False,
    organization_id: Annotated[str, _option("o-ID", "The organisation; else AWS is asked.")] = "",
    data_events: Annotated[
        list[str] | None,
        _option("BUCKET|all", "Record reads and writes of objects too; may be given again."),
    ] = None,
    delivery: Annotated[
        Delivery, typer.Option(help="How the queue learns of a new log file.")
    ] = "sns",
    raw: Annotated[
        bool, typer.Option("--raw/--wrapped", help="Without SNS's envelope, or in it.")
    ] = False,
    topic: Annotated[
        str, _option("ARN", "A topic that is there, in this account or another.")
    ] = "",
    kms_key: Annotated[str, _option("ARN|new", "Encrypt with this KMS key, or a new one.")] = "",
    encrypt: Annotated[
        list[Encrypt] | None,
        typer.Option(help="What the key encrypts, else logs; may be given again."),
    ] = None,
    reader: Annotated[Reader, typer.Option(help="As whom the collector reads.")] = "user",
    principal: Annotated[
        str, _option("ARN", "With --reader cross-account: who takes the role.")
    ] = "",
    policy: Annotated[
        Form | None, typer.Option(help="What the collector may do; else what the choices need.")
    ] = None,
) -> Request:
    return Request(
        name=name,
        source=source,
        region=_region("--region", region),
        account=account,
        bucket=bucket,
        existing_bucket=existing_bucket,
        bucket_region=_region("--bucket-region", bucket_region),
        bucket_account=bucket_account,
        prefix=prefix,
        trail=trail,
        organization=organization,
        organization_id=organization_id,
        data_events=tuple(data_events or ()),
        delivery=delivery,
        raw=raw,
        topic=topic,
        kms_key=kms_key,
        encrypt=tuple(each.value for each in encrypt or (Encrypt.LOGS,)),
        reader=reader,
        principal=principal,
        policy=policy or "",
    )


def _region(option: str, text: str) -> str:
    try:
        return known.region(regions.code(text)) if text else ""
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


def asking(verb: Callable[..., None]) -> Callable[..., None]:
    """Let *verb* take every choice: its first parameter is the Request they come to."""
    first, *own = inspect.signature(verb).parameters.values()
    choices = list(inspect.signature(_request).parameters.values())

    @functools.wraps(verb)
    def called(**given: Any) -> None:
        mine = {each.name: given.pop(each.name) for each in own}
        return verb(_sound(_request(**given)), **mine)

    both = [*own, *choices]
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
