"""Build the plan: the steps for a request, in order; pure.

A new resource takes one function in ``resources/`` and one line here.
"""

from collections.abc import Iterator

from trailcourier.provision import policies
from trailcourier.provision.names import Layout
from trailcourier.provision.request import AccountFacts, SetupRequest
from trailcourier.provision.resources import bucket, key, queue, reader, rule, topic, trail
from trailcourier.provision.steps import Step


def plan(request: SetupRequest, facts: AccountFacts = AccountFacts()) -> tuple[Step, ...]:  # noqa: B008 - frozen
    """Return every step, each after the steps that it needs."""
    layout = Layout(request, facts)
    return (
        *_key_steps(layout),
        queue.dead_letter_queue(layout),
        queue.queue(layout),
        *_bucket_steps(layout),
        *_delivery_steps(layout),
        *_trail_steps(layout),
        *_reader_steps(layout),
    )


def _key_steps(layout: Layout) -> Iterator[Step]:
    requested = layout.request.kms_key
    if requested == "new":
        yield key.key(layout)
        yield key.rotation(layout)
    ours = requested == "new" or requested.split(":")[4:5] == [layout.account]
    if ours and policies.key_statements(layout):
        yield key.policy(layout)


def _bucket_steps(layout: Layout) -> Iterator[Step]:
    if layout.bucket_in_other_account:
        return
    if layout.request.existing_bucket:
        yield bucket.existing(layout)
    else:
        yield bucket.bucket(layout)
        yield bucket.public_access_block(layout)
        yield bucket.versioning(layout)
        if layout.request.lock_days:
            yield bucket.object_lock(layout)
        if layout.request.expire_days:
            yield bucket.lifecycle(layout)
    if layout.request.trail:
        yield bucket.policy(layout)


def _delivery_steps(layout: Layout) -> Iterator[Step]:
    match layout.request.delivery:
        case "sns":
            yield from _topic_steps(layout)
            yield queue.policy(layout)
            yield topic.subscription(layout)
        case "s3":
            yield queue.policy(layout)
            yield bucket.notify_queue(layout)
        case "eventbridge":
            yield queue.policy(layout)
            yield rule.rule(layout)
            yield rule.target(layout)
            yield bucket.notify_eventbridge(layout)


def _topic_steps(layout: Layout) -> Iterator[Step]:
    if layout.topic_in_other_account:
        return
    yield topic.existing(layout) if layout.request.topic else topic.topic(layout)
    if layout.request.trail:
        yield topic.policy(layout)


def _trail_steps(layout: Layout) -> Iterator[Step]:
    if not layout.request.trail:
        return
    if layout.request.organization:
        yield trail.trusted_access(layout)
    yield trail.trail(layout)
    yield trail.selectors(layout)
    yield trail.logging(layout)


def _reader_steps(layout: Layout) -> Iterator[Step]:
    match layout.request.reader:
        case "user":
            group = reader.group(layout)
            yield from (group, reader.inline_policy(layout, group))
            yield reader.user(layout)
            yield reader.membership(layout)
            yield reader.access_key(layout)
        case "none":
            return
        case reads_as:
            role = reader.role(layout)
            yield from (role, reader.inline_policy(layout, role))
            if reads_as == "instance-profile":
                yield reader.instance_profile(layout)
                yield reader.instance_profile_role(layout)
