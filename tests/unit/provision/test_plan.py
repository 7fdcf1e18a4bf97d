import json
from itertools import product

import pytest

from trailcourier.provision import Found, Request, plan, problems, survey
from trailcourier.provision.asking import Asker, encoded
from trailcourier.provision.steps import Known, shown

BUCKET = {"bucket": "acme-logs", "existing_bucket": True}
TOPIC = "arn:aws:sns:us-east-1:444455556666:cloudtrail"


def every_request():
    """The choices that go together, in all their combinations."""
    for delivery, reader, key, organization in product(
        ("sns", "s3", "eventbridge"),
        ("user", "instance-profile", "pod-identity", "cross-account", "none"),
        ("", "new", "arn:aws:kms:us-east-1:111122223333:key/abc"),
        (False, True),
    ):
        yield Request(
            account="111122223333",
            delivery=delivery,
            reader=reader,
            kms_key=key,
            organization=organization,
            principal="arn:aws:iam::444455556666:root" if reader == "cross-account" else "",
        )


def ids(request, found=Found()):  # noqa: B008 - frozen
    return [step.id for step in plan(request, found)]


@pytest.mark.parametrize("request_", [*every_request()])
def test_every_plan_is_sound(request_):
    steps = plan(request_)

    assert problems(request_) == []
    assert len({step.id for step in steps}) == len(steps)
    assert len({step.words for step in steps}) == len(steps)
    named = {step.id for step in steps}
    for step in steps:
        assert step.make
        assert step.of == "" or step.of in named
        json.dumps(shown([call.parameters for call in step.calls]))


@pytest.mark.parametrize("request_", [*every_request()])
def test_what_a_call_needs_was_given_by_one_before(request_):
    given = {"merged", "external_id"}
    for step in plan(request_):
        for call in (*step.look, *step.make):
            assert needs(call.parameters) <= given, step.id
            given |= set(call.gives)


def needs(value):
    if isinstance(value, Known):
        return {value.name}
    if isinstance(value, dict):
        return set().union(*map(needs, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(needs, value))
    return set()


def test_s04_the_default_plan_has_a_trail_a_queue_a_subscription_and_permissions():
    assert ids(Request()) == [
        "dead-letter-queue", "queue",
        "bucket", "bucket-privacy", "bucket-policy",
        "topic", "topic-policy", "queue-policy", "subscription",
        "trail", "event-selectors", "logging",
        "group", "group-policy", "user", "membership", "access-key",
    ]  # fmt: skip


def test_with_an_existing_trail_only_the_queue_and_the_reader_are_made():
    asked = Request(trail=False, topic=TOPIC, **BUCKET, account="444455556666")

    assert ids(asked) == [
        "dead-letter-queue", "queue", "bucket", "topic", "queue-policy", "subscription",
        "group", "group-policy", "user", "membership", "access-key",
    ]  # fmt: skip


def test_nothing_of_another_account_is_in_the_plan():
    asked = Request(
        trail=False,
        topic=TOPIC,
        **BUCKET,
        bucket_account="444455556666",
        account="111122223333",
        kms_key="arn:aws:kms:us-east-1:444455556666:key/abc",
        reader="none",
    )

    assert ids(asked) == ["dead-letter-queue", "queue", "queue-policy", "subscription"]
    assert plan(asked)[-1].foreign


def test_a_bucket_is_only_made_where_none_is_there():
    assert "bucket-privacy" not in ids(Request(**BUCKET))
    assert plan(Request(**BUCKET))[2].make == ()


def test_the_same_request_gives_the_same_plan():
    assert plan(Request(), Found("111122223333")) == plan(Request(), Found("111122223333"))


def test_an_unknown_account_is_shown_as_such():
    (trail,) = [step for step in plan(Request()) if step.id == "trail"]

    assert trail.resource == "arn:aws:cloudtrail:us-east-1:ACCOUNT:trail/trailcourier"


def test_documents_become_text_where_aws_takes_text():
    given = {"Policy": {"a": 1}, "Attributes": {"RedrivePolicy": {"b": 2}, "Other": "x"}}

    assert encoded(given) == {
        "Policy": '{"a": 1}', "Attributes": {"RedrivePolicy": '{"b": 2}', "Other": "x"},
    }  # fmt: skip


def test_what_stands_in_for_a_value_is_shown_by_its_name():
    assert shown({"a": [Known("queue_url")]}) == {"a": ["<queue_url>"]}


def test_a_survey_of_what_cannot_be_reached_says_so_for_each_step():
    def nobody(service, region):
        raise FileNotFoundError("nowhere")

    told = list(survey(plan(Request()), Asker(nobody, "x")))

    assert {each.state for each in told} <= {"cannot see", "to make"}
