"""The options that describe a set-up: the same for every verb of ``setup``."""

import functools
import inspect
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from trailcourier import provision
from trailcourier.aws import regions
from trailcourier.cli.exits import Exit
from trailcourier.cli.setup import memory
from trailcourier.provision import SetupRequest
from trailcourier.provision.request import PolicyForm
from trailcourier.settings import botocore_data


class Encrypt(StrEnum):
    """What a KMS key may encrypt. An Enum, because typer takes no list of a Literal."""

    LOGS = "logs"
    QUEUE = "queue"
    TOPIC = "topic"


_PATHS = frozenset({"write", "secret_file"})
_DEFAULTS, _TYPES = SetupRequest(), get_type_hints(SetupRequest)


def _option(
    name: str, text: str, metavar: str | None = None, *, flags: str = "", kind: Any = None
) -> inspect.Parameter:
    """Return the option for the field *name* of the request, with the field's type and default.

    *kind* is the type where typer needs another one; the default is then None.
    """
    default = None if kind else getattr(_DEFAULTS, name)
    option = typer.Option(*([flags] if flags else []), metavar=metavar, help=text)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind or _TYPES[name], option],
    )


OPTIONS = (
    _option("name", "Begins the name of every resource.", "NAME"),
    _option("source", "The source's name in the configuration: [sources.NAME].", "NAME"),
    _option(
        "region",
        "The region of trail, topic and queue; legacy names such as US_STANDARD too.",
        "REGION",
    ),
    _option("account", "The account's id; credentials of another account are refused.", "ID"),
    _option("bucket", "The bucket for log files; default: NAME-ACCOUNT-REGION.", "NAME"),
    _option("existing_bucket", "Use a bucket that exists already.", flags="--existing-bucket"),
    _option("bucket_region", "The bucket's region; of an existing bucket, AWS is asked.", "REGION"),
    _option("bucket_account", "The account that owns the bucket, if another.", "ID"),
    _option("bucket_role", "The role in the bucket's account that the collector assumes.", "ARN"),
    _option("prefix", "The prefix before AWSLogs/ in the bucket.", "TEXT"),
    _option("lock_days", "Let nobody delete a log file of a new bucket for so long.", "DAYS"),
    _option("expire_days", "Delete log files of a new bucket after so long.", "DAYS"),
    _option("trail", "Create a trail, or use an existing one.", flags="--trail/--no-trail"),
    _option(
        "second_trail",
        "Create a trail even if another covers the account; AWS charges for it.",
        flags="--second-trail",
    ),
    _option("organization", "Record every account of the organisation.", flags="--organization"),
    _option("organization_id", "The organisation's id; default: AWS is asked.", "o-ID"),
    _option(
        "data_events",
        "Also record reads and writes of objects; repeatable.",
        "BUCKET|all",
        kind=list[str] | None,
    ),
    _option("delivery", "What notifies the queue of log files."),
    _option("raw", "Deliver messages without SNS's envelope, or in it.", flags="--raw/--wrapped"),
    _option("topic", "An existing topic, in this account or another.", "ARN"),
    _option("kms_key", "Encrypt with this KMS key, or with a new one.", "ARN|new"),
    _option(
        "encrypt",
        "What the key encrypts; default: logs; repeatable.",
        kind=list[Encrypt] | None,
    ),
    _option("reader", "The collector's kind of identity."),
    _option("principal", "With --reader cross-account: who assumes the role.", "ARN"),
    _option(
        "policy",
        "The collector's permissions; default: what the options need.",
        kind=PolicyForm | None,
    ),
    _option("permissions_boundary", "The boundary of a new user or role.", "ARN"),
    _option("path", "The path of a new user, role, group and instance profile.", "/PATH/"),
    _option(
        "tag", "A further tag of what is created; repeatable.", "KEY=VALUE", kind=list[str] | None
    ),
)


def _build_request(given: dict[str, Any]) -> SetupRequest:
    """Build the request from the options; each option has the name of its field."""
    fields = {each.name: given[each.name] for each in OPTIONS}
    fields["region"] = _region_code("--region", given["region"])
    fields["bucket_region"] = _region_code("--bucket-region", given["bucket_region"])
    fields["data_events"] = tuple(given["data_events"] or ())
    fields["encrypt"] = tuple(str(each) for each in given["encrypt"] or (Encrypt.LOGS,))
    fields["tag"] = tuple(given["tag"] or ())
    fields["policy"] = given["policy"] or ""
    return SetupRequest(**fields)


def _region_code(option: str, text: str) -> str:
    try:
        return botocore_data.region(regions.parse_code(text)) if text else ""
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


_FRESH = inspect.Parameter(
    "fresh",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, typer.Option("--fresh", help="Ignore the options of the last apply of this name.")
    ],
)
_CONTEXT = inspect.Parameter(
    "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)


def with_setup_options(*, remembers: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb every option; its first parameter receives the request built from them.

    A verb that *remembers* takes options that are not given from the last apply of the same name.
    """

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(verb).parameters.values()

        @functools.wraps(verb)
        def called(**given: Any) -> None:
            ctx, fresh = given.pop("ctx"), given.pop("fresh", True)
            recall(ctx, given, own={each.name for each in own}, fresh=fresh)
            arguments = {each.name: given.pop(each.name) for each in own}
            return verb(_checked(_build_request(given)), **arguments)

        both = [_CONTEXT, *own, *OPTIONS, *([_FRESH] if remembers else [])]
        called.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in both}
        return called

    return decorate


def recall(ctx: typer.Context, given: dict[str, Any], *, own: set[str], fresh: bool) -> None:
    """Set the options that are not on the command line to those of the last apply, and say so."""
    remembered = memory.load(given["profile"], given["name"])
    known = {each.name for each in OPTIONS} | own
    explicit = {each for each in known if _is_given(ctx, each)}
    taken = {}
    if not fresh:
        taken = {
            name: value
            for name, value in remembered.items()
            if name in known and name not in explicit
        }
    paths = {name: Path(value) for name, value in taken.items() if name in _PATHS}
    given |= {**taken, **paths}
    for line in (
        *memory.describe(given["name"], taken),
        *memory.list_undone(remembered, {name: given[name] for name in known}),
    ):
        print(f"trailcourier: {line}", file=sys.stderr)


def _is_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _checked(request: SetupRequest) -> SetupRequest:
    """Return *request*, or print its problems and exit with the status for wrong usage."""
    problems = provision.check_request(request)
    for problem in problems:
        print(f"trailcourier: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(Exit.USAGE)
    return request
