"""``setup plan``: what apply would do, as far as AWS can be asked."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from trailcourier import provision
from trailcourier.cli.setup import applying, telling
from trailcourier.cli.setup.account import Account
from trailcourier.cli.setup.result import Wanted
from trailcourier.errors import Unreachable
from trailcourier.provision import Found, Layout, Request, Told, configuration
from trailcourier.provision.elsewhere import elsewhere


class Planned(msgspec.Struct, frozen=True):
    """The plan, and what is known of the account it is for."""

    account: Annotated[str, Meta(description="whose it would be; ACCOUNT, if that is not known")]
    region: Annotated[str, Meta(description="where the trail, the topic and the queue would be")]
    partition: Annotated[str, Meta(description="the part of AWS that the region is in")]
    caller: Annotated[str, Meta(description="as whom AWS was asked")]
    unseen: Annotated[str, Meta(description="why AWS was not asked what is there, if so")]
    unknown: Annotated[tuple[str, ...], Meta(description="what would be found out, and how")]
    steps: Annotated[
        list[dict[str, Any]],
        Meta(description="of each step its id, what would become of it, its words and its calls"),
    ]
    elsewhere: Annotated[
        list[Any], Meta(description="what others have to do: commands, statements for policies")
    ]
    configuration: Annotated[str, Meta(description="the tables of the source")]


def plan(account: Account, wanted: Wanted, *, offline: bool) -> tuple[Planned, list[str]]:
    """The plan, and the lines that say it."""
    found, unseen = (Found(), "AWS was not asked") if offline else _found_or_why(account)
    request = account.request
    layout, steps = Layout(request, found), provision.plan(request, found)
    known = applying.external_id(request, wanted) if wanted.external_id else {}
    if unseen:
        told = [Told(step.id, "to make", step.words) for step in steps]
    else:
        told = list(provision.survey(steps, account.asker(found, known)))
    names = applying.named(request, wanted.secret_file, wanted.external_id)
    sinks = wanted.sinks or applying.held(layout, wanted).sinks
    url = configuration.queue_url(layout)
    planned = Planned(
        account=layout.account,
        region=layout.region,
        partition=layout.partition,
        caller=found.caller,
        unseen=unseen,
        unknown=tuple(_unknown(request, found, wanted)),
        steps=telling.steps_as_json(steps, told),
        elsewhere=telling.elsewhere_as_json(elsewhere(layout)),
        configuration=configuration.text(layout, url, credential=names, sinks=sinks),
    )
    return planned, list(_lines(layout, planned, told))


def _unknown(request: Request, found: Found, wanted: Wanted) -> Iterator[str]:
    yield from provision.unknown(request, found)
    if request.needs_external_id and not wanted.external_id:
        yield "the external id: --external-id says where it is"


def _found_or_why(account: Account) -> tuple[Found, str]:
    try:
        return account.found(), ""
    except Unreachable as error:
        return Found(), str(error)


def _lines(layout: Layout, planned: Planned, told: list[Told]) -> Iterator[str]:
    yield telling.whose(layout, planned.caller)
    yield from (telling.line(each) for each in told)
    yield from telling.others(elsewhere(layout))
    yield ""
    yield from planned.configuration.rstrip("\n").split("\n")
    yield ""
    yield from (f"not known yet: {each}" for each in planned.unknown)
    unseen = f"{planned.unseen}, so what is there already was not seen"
    yield f"{telling.sum_of(told)}; {unseen if planned.unseen else 'nothing was changed'}"
