"""The plan: from what is asked for and what was found, the steps in their order; pure.

A further thing is one function in ``resources/`` and one line here.
"""

from collections.abc import Iterator

from trailcourier.provision.layout import Layout
from trailcourier.provision.request import Found, Request
from trailcourier.provision.resources import bucket, key, queue, reader, rule, topic, trail
from trailcourier.provision.steps import Step


def plan(request: Request, found: Found = Found()) -> tuple[Step, ...]:  # noqa: B008 - frozen
    """Return every step, each after those that it needs."""
    layout = Layout(request, found)
    return (
        *_key(layout),
        queue.dead_letters(layout),
        queue.queue(layout),
        *_bucket(layout),
        *_announcements(layout),
        *_trail(layout),
        *_reader(layout),
    )


def _key(layout: Layout) -> Iterator[Step]:
    asked = layout.request.kms_key
    if asked == "new":
        yield key.key(layout)
    if asked and (asked == "new" or asked.split(":")[4] == layout.account):
        yield key.policy(layout)


def _bucket(layout: Layout) -> Iterator[Step]:
    if layout.foreign_bucket:
        return
    if layout.request.existing_bucket:
        yield bucket.existing(layout)
    else:
        yield bucket.bucket(layout)
        yield bucket.privacy(layout)
    if layout.request.trail:
        yield bucket.policy(layout)


def _announcements(layout: Layout) -> Iterator[Step]:
    match layout.request.delivery:
        case "sns":
            yield from _topic(layout)
            yield queue.policy(layout)
            yield topic.subscription(layout)
        case "s3":
            yield queue.policy(layout)
            yield bucket.to_queue(layout)
        case "eventbridge":
            yield queue.policy(layout)
            yield rule.rule(layout)
            yield rule.target(layout)
            yield bucket.to_eventbridge(layout)


def _topic(layout: Layout) -> Iterator[Step]:
    if layout.foreign_topic:
        return
    yield topic.existing(layout) if layout.request.topic else topic.topic(layout)
    if layout.request.trail:
        yield topic.policy(layout)


def _trail(layout: Layout) -> Iterator[Step]:
    if not layout.request.trail:
        return
    if layout.request.organization:
        yield trail.trusted_access(layout)
    yield trail.trail(layout)
    yield trail.selectors(layout)
    yield trail.logging(layout)


def _reader(layout: Layout) -> Iterator[Step]:
    match layout.request.reader:
        case "user":
            yield reader.group(layout)
            yield reader.group_policy(layout)
            yield reader.user(layout)
            yield reader.membership(layout)
            yield reader.access_key(layout)
        case "none":
            return
        case held:
            yield reader.role(layout)
            yield reader.role_policy(layout)
            if held == "instance-profile":
                yield reader.profile(layout)
                yield reader.profile_role(layout)
