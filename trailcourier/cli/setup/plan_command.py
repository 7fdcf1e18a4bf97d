"""``setup plan``: what ``apply`` would do, as far as AWS can be asked."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from trailcourier import provision
from trailcourier.cli.setup import apply_command, new_key, report
from trailcourier.cli.setup.account import SetupAccount
from trailcourier.cli.setup.result import ApplyOptions
from trailcourier.errors import Unreachable
from trailcourier.provision import (
    AccountFacts,
    Layout,
    SetupRequest,
    StepReport,
    configuration,
    trail_advice,
)
from trailcourier.provision.manual_steps import ManualStep, list_manual_steps
from trailcourier.provision.visible_trails import VisibleTrail


class Planned(msgspec.Struct, frozen=True):
    """The plan, and what is known of the account that it is for."""

    account: Annotated[str, Meta(description="the account's id; `ACCOUNT` if it is not known")]
    region: Annotated[str, Meta(description="the region of the trail, the topic and the queue")]
    partition: Annotated[str, Meta(description="the region's AWS partition")]
    caller: Annotated[str, Meta(description="the ARN of the caller who asked AWS")]
    unseen: Annotated[
        str, Meta(description="why AWS was not asked what exists; empty if it was asked")
    ]
    trails: Annotated[
        tuple[VisibleTrail, ...],
        Meta(description="the trails that exist: bucket, prefix, topic, key, whether each logs"),
    ]
    advice: Annotated[
        tuple[str, ...],
        Meta(description="how to use a trail that exists, and what is wrong with it"),
    ]
    unknown: Annotated[
        tuple[str, ...], Meta(description="what is not known yet, and what supplies it")
    ]
    steps: Annotated[
        list[dict[str, Any]],
        Meta(description="of each step its id, state, summary (`words`) and calls"),
    ]
    elsewhere: Annotated[
        list[ManualStep],
        Meta(description="steps for other accounts and hosts: commands, policy statements"),
    ]
    configuration: Annotated[str, Meta(description="the source's tables for `trailcourier.toml`")]


def plan(
    account: SetupAccount, options: ApplyOptions, *, offline: bool
) -> tuple[Planned, list[str]]:
    """Return the plan, and the lines that print it."""
    facts, unseen = (
        (AccountFacts(), "AWS was not asked (--offline)") if offline else _collect_facts(account)
    )
    request = account.request
    layout, steps = Layout(request, facts), provision.plan(request, facts)
    known = apply_command.external_id(request, options) if options.external_id else {}
    if unseen:
        reports = [_report_unread(step, offline=offline) for step in steps]
    else:
        reports = list(provision.preview_apply(steps, account.runner(facts, known)))
    planned = Planned(
        account=layout.account,
        region=layout.region,
        partition=layout.partition,
        caller=facts.caller,
        unseen=unseen,
        trails=facts.trails,
        advice=tuple(_list_advice(layout)),
        unknown=tuple(_list_unknown(request, facts, options)),
        steps=report.steps_to_json(steps, reports),
        elsewhere=list_manual_steps(layout),
        configuration=_render_source(layout, options),
    )
    return planned, list(_lines(layout, planned, reports))


def _report_unread(step: provision.Step, *, offline: bool) -> StepReport:
    """Report a step of which AWS did not say whether its resource exists."""
    if offline:
        return StepReport(step.id, "to create", step.summary)
    return StepReport(step.id, "cannot read", step.summary, "it may exist already: see the end")


def _render_source(layout: Layout, options: ApplyOptions) -> str:
    references = new_key.credential_references(
        layout.request, options.secret_file, options.external_id
    )
    sinks = options.sinks or apply_command.read_configuration(layout, options).sinks
    url = configuration.queue_url(layout)
    return configuration.render_source(layout, url, credential=references, sinks=sinks)


def _list_unknown(
    request: SetupRequest, facts: AccountFacts, options: ApplyOptions
) -> Iterator[str]:
    yield from provision.list_unknown(request, facts)
    if request.trail and not facts.trails_unread and not facts.account:
        yield "whether a trail covers the account already: needs credentials"
    if facts.trails_unread:
        yield f"whether a trail covers the account already: {facts.trails_unread}"
    if request.needs_external_id and not options.external_id:
        yield "the external id: give --external-id env:NAME or file:/path"


def _list_advice(layout: Layout) -> Iterator[str]:
    yield from trail_advice.list_advice(layout)
    yield from trail_advice.list_problems_with_chosen(layout)


def _collect_facts(account: SetupAccount) -> tuple[AccountFacts, str]:
    """Return the facts, or why AWS did not give them."""
    try:
        return account.collect_with_trails(), ""
    except Unreachable as error:
        return AccountFacts(), str(error)


def _lines(layout: Layout, planned: Planned, reports: list[StepReport]) -> Iterator[str]:
    yield report.format_account(layout, planned.caller)
    yield from (report.format_step(each) for each in reports)
    yield from report.format_manual_steps(list_manual_steps(layout))
    if planned.advice:
        yield ""
        yield from planned.advice
    yield ""
    yield from planned.configuration.rstrip("\n").split("\n")
    yield ""
    yield from (f"not known yet: {each}" for each in planned.unknown)
    unseen = f"what exists already is not known: {planned.unseen}"
    totals = report.format_totals(reports)
    yield f"{totals}; {unseen if planned.unseen else 'nothing was changed'}"
