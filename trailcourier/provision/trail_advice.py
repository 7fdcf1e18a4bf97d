"""What setup says about trails that exist already, and how to use one of them; pure."""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from trailcourier.provision.names import Layout
from trailcourier.provision.option_text import format_command
from trailcourier.provision.request import SetupRequest
from trailcourier.provision.visible_trails import LIMIT, VisibleTrail

BUCKET_ACCOUNT = "BUCKET_ACCOUNT"  # stands for the id of an owner that AWS does not show
_KEY_ARN = re.compile(r"arn:[^:]+:kms:[^:]+:\d{12}:key/.+", re.ASCII)


def list_others(layout: Layout) -> list[VisibleTrail]:
    """Return the visible trails but the one of this set-up, those that cover the account first."""
    others = (each for each in layout.facts.trails if each.arn != layout.trail_arn)
    return sorted(others, key=lambda each: (not each.covers_account, not each.topic, each.arn))


def list_objections(layout: Layout) -> list[str]:
    """Return why a new trail must not be created; empty if it may be, or exists already."""
    facts, request = layout.facts, layout.request
    if not request.trail or len(list_others(layout)) < len(facts.trails):
        return []
    if len(facts.trails) >= LIMIT:
        names = ", ".join(each.name for each in facts.trails)
        text = (
            f"{layout.region} has {len(facts.trails)} trails already ({names}), and CloudTrail "
            f"allows {LIMIT}: use one of them, as `trailcourier setup plan` says, or delete one"
        )
        return [text]
    if request.second_trail:
        return []
    return [
        f"trail {each.arn} covers this account already, and AWS charges for a second copy of its "
        f"events. {_how_to_use(layout, each)}. To create another trail, add --second-trail"
        for each in list_others(layout)[:1]
        if each.covers_account
    ]


def list_advice(layout: Layout) -> Iterator[str]:
    """Yield, for a plan that creates a trail, what exists already and how to use it."""
    others = list_others(layout) if layout.request.trail else []
    for each in others:
        yield f"you have a trail: {_describe(each, layout)}"
        yield from (f"  {line}" for line in describe_trail(each))
        yield f"  {_how_to_use(layout, each)}"
    yield from list_objections(layout)


def describe_trail(trail: VisibleTrail) -> Iterator[str]:
    """Yield what the trail writes, encrypts and announces, and whether it works."""
    whose = f" of account {trail.bucket_account}" if trail.bucket_account else ""
    where = f" in {trail.bucket_region}" if trail.bucket_region else ""
    yield f"writes to bucket {trail.bucket}{whose}{where}, " + (
        f"below {trail.prefix}/" if trail.prefix else "without a prefix"
    )
    yield f"encrypts with KMS key {trail.key}" if trail.key else "encrypts without a KMS key"
    yield f"announces files on {trail.topic}" if trail.topic else "announces its files on no topic"
    if not trail.multi_region:
        yield f"records {trail.home_region} only"
    if not trail.management_events:
        yield "does not record all management events"
    yield explain_logging(trail) or "logs"
    for what, error in (("files", trail.delivery_error), ("notices", trail.notification_error)):
        if error:
            yield f"its last {what} failed with {error}"


def explain_logging(trail: VisibleTrail) -> str:
    """Return why the trail may write nothing; empty if it logs."""
    if trail.is_logging:
        return ""
    if trail.is_logging is None:
        return f"AWS does not say whether it logs: allow cloudtrail:GetTrailStatus on {trail.arn}"
    where = f"--region {trail.home_region} --name {trail.arn}"
    return f"does not log; start it: aws cloudtrail start-logging {where}"


def _describe(trail: VisibleTrail, layout: Layout) -> str:
    whose = "this account's"
    if trail.of_control_tower:
        whose = f"Control Tower's, of account {trail.account}"
    elif trail.organization:
        whose = f"the organisation's, of account {trail.account}"
    elif trail.account != layout.account:
        whose = f"of account {trail.account}"
    return f"{trail.arn} ({whose})"


def _how_to_use(layout: Layout, trail: VisibleTrail) -> str:
    adopted = adopt(layout, trail)
    if adopted is None:
        update = f"aws cloudtrail update-trail --region {trail.home_region} --name {trail.arn}"
        return (
            "To use it, have its owner give it a topic, because its bucket is not this account's: "
            f"{update} --sns-topic-name TOPIC"
        )
    return f"Use it: {format_command('apply', adopted)}"


def adopt(layout: Layout, trail: VisibleTrail) -> SetupRequest | None:
    """Return the request that uses *trail* in place of a new one; None if nothing announces files.

    The bucket notifies the queue of a trail without a topic; only its own account can set that up.
    """
    ours = trail.bucket_account == layout.account
    if not trail.topic and not ours:
        return None
    request = replace(
        layout.request,
        trail=False,
        second_trail=False,
        organization=False,
        data_events=(),
        existing_bucket=True,
        bucket=trail.bucket,
        bucket_region="",
        bucket_account="" if ours else trail.bucket_account or BUCKET_ACCOUNT,
        prefix=trail.prefix,
        topic=trail.topic,
        delivery="sns" if trail.topic else "s3",
        kms_key=trail.key if _KEY_ARN.fullmatch(trail.key) else "",
        encrypt=("logs",),
    )
    if trail.topic:
        return request
    return replace(request, raw=False, region=trail.bucket_region or request.region)


def list_problems_with_chosen(layout: Layout) -> Iterator[str]:
    """Yield what keeps the trail of a request without a new one from feeding the queue."""
    request = layout.request
    if request.trail:
        return
    for trail in feeding_trails(layout):
        if why := explain_logging(trail):
            yield f"trail {trail.arn} {why}"
        if request.delivery == "sns" and trail.topic != request.topic:
            topic = trail.topic or "no topic"
            yield f"trail {trail.arn} announces its files on {topic}, not on {request.topic}"
        if trail.key and trail.key not in layout.trail_keys and not request.kms_key:
            yield f"trail {trail.arn} encrypts with {trail.key}: name the key's ARN with --kms-key"


def feeding_trails(layout: Layout) -> list[VisibleTrail]:
    """Return the visible trails that write to the requested bucket."""
    return [each for each in layout.facts.trails if each.bucket == layout.bucket]
