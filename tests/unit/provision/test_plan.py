import json
from itertools import product

import pytest

from trailcourier.provision import (
    AccountFacts,
    SetupRequest,
    check_request,
    plan,
    preview_apply,
)
from trailcourier.provision.merge_rules import encode_parameters
from trailcourier.provision.step_runner import StepRunner
from trailcourier.provision.steps import Placeholder, show_placeholders

BUCKET = {"bucket": "acme-logs", "existing_bucket": True}
TOPIC = "arn:aws:sns:us-east-1:444455556666:cloudtrail"


def every_request():
    """Every combination of the main options."""
    for delivery, reader, key, organization in product(
        ("sns", "s3", "eventbridge"),
        ("user", "instance-profile", "pod-identity", "cross-account", "none"),
        ("", "new", "arn:aws:kms:us-east-1:111122223333:key/abc"),
        (False, True),
    ):
        yield SetupRequest(
            account="111122223333",
            delivery=delivery,
            reader=reader,
            kms_key=key,
            organization=organization,
            principal="arn:aws:iam::444455556666:root" if reader == "cross-account" else "",
        )


def ids(request, found=AccountFacts()):  # noqa: B008 - frozen
    return [step.id for step in plan(request, found)]


@pytest.mark.parametrize("request_", [*every_request()])
def test_every_plan_is_sound(request_):
    steps = plan(request_)

    assert check_request(request_) == []
    assert len({step.id for step in steps}) == len(steps)
    assert len({step.summary for step in steps}) == len(steps)
    named = {step.id for step in steps}
    for step in steps:
        assert step.create_calls
        assert step.parent == "" or step.parent in named
        json.dumps(show_placeholders([call.parameters for call in step.calls]))


@pytest.mark.parametrize("request_", [*every_request()])
def test_an_earlier_call_gives_every_placeholder_that_a_call_needs(request_):
    given = {"merged", "external_id"}
    for step in plan(request_):
        for call in (*step.read_calls, *step.create_calls):
            assert needs(call.parameters) <= given, step.id
            given |= set(call.outputs)


def needs(value):
    if isinstance(value, Placeholder):
        return {value.name}
    if isinstance(value, dict):
        return set().union(*map(needs, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(needs, value))
    return set()


def test_the_default_plan_has_a_trail_a_queue_a_subscription_and_permissions():
    assert ids(SetupRequest()) == [
        "dead-letter-queue", "queue",
        "bucket", "bucket-privacy", "bucket-versioning", "bucket-policy",
        "topic", "topic-policy", "queue-policy", "subscription",
        "trail", "event-selectors", "logging",
        "group", "group-policy", "user", "membership", "access-key",
    ]  # fmt: skip


def test_with_an_existing_trail_only_the_queue_and_the_reader_are_created():
    request = SetupRequest(trail=False, topic=TOPIC, **BUCKET, account="444455556666")

    assert ids(request) == [
        "dead-letter-queue", "queue", "bucket", "topic", "queue-policy", "subscription",
        "group", "group-policy", "user", "membership", "access-key",
    ]  # fmt: skip


def test_the_plan_creates_nothing_in_another_account():
    request = SetupRequest(
        trail=False,
        topic=TOPIC,
        **BUCKET,
        bucket_account="444455556666",
        account="111122223333",
        kms_key="arn:aws:kms:us-east-1:444455556666:key/abc",
        reader="none",
    )

    assert ids(request) == ["dead-letter-queue", "queue", "queue-policy", "subscription"]
    assert plan(request)[-1].other_account


def test_an_existing_bucket_is_not_created():
    assert "bucket-privacy" not in ids(SetupRequest(**BUCKET))
    assert plan(SetupRequest(**BUCKET))[2].create_calls == ()


def test_log_files_are_locked_and_deleted_only_if_asked_for():
    request = SetupRequest(account="111122223333", lock_days=30, expire_days=400)
    steps = {step.id: step for step in plan(request)}

    created = steps["bucket"].create_calls[0].parameters
    assert created["ObjectLockEnabledForBucket"] is True
    assert steps["bucket-lock"].expected.values == {"Mode": "GOVERNANCE", "Days": 30}
    (rule,) = steps["bucket-lifecycle"].expected.values["Rules"]
    assert rule["Expiration"] == {"Days": 400}
    assert not {"bucket-lock", "bucket-lifecycle"} & set(ids(SetupRequest()))
    assert "bucket-versioning" not in ids(SetupRequest(**BUCKET, lock_days=1))


def test_a_new_key_rotates_and_one_that_exists_is_left():
    key = "arn:aws:kms:us-east-1:111122223333:key/abc"

    assert "key-rotation" in ids(SetupRequest(account="111122223333", kms_key="new"))
    assert "key-rotation" not in ids(SetupRequest(account="111122223333", kms_key=key))


def test_identities_have_the_path_the_boundary_and_the_tags():
    limits = "arn:aws:iam::111122223333:policy/limits"
    for reader, kind in (("user", "user"), ("pod-identity", "role")):
        request = SetupRequest(
            account="111122223333",
            reader=reader,
            path="/security/",
            permissions_boundary=limits,
            tag=("team=sec", "cost=a=b"),
        )
        steps = {step.id: step for step in plan(request)}

        given = steps[kind].create_calls[0].parameters
        assert (given["Path"], given["PermissionsBoundary"]) == ("/security/", limits)
        assert {each["Key"]: each["Value"] for each in given["Tags"]} == {
            "trailcourier": "trailcourier", "team": "sec", "cost": "a=b",
        }  # fmt: skip
        arn = f"arn:aws:iam::111122223333:{kind}/security/trailcourier"
        assert steps[kind].resource == arn
        assert steps["queue"].create_calls[0].parameters["tags"]["team"] == "sec"
    assert plan(SetupRequest(path="/security/"))[-5].create_calls[0].parameters["Path"] == (
        "/security/trailcourier/"
    )


def test_over_plain_http_the_bucket_does_not_lock_an_emulator_out():
    for plain_http, denies in ((False, True), (True, False)):
        found = AccountFacts(account="111122223333", plain_http=plain_http)
        (step,) = [each for each in plan(SetupRequest(), found) if each.id == "bucket-policy"]
        assert any(each["Effect"] == "Deny" for each in step.statements) is denies
    (theirs,) = [each for each in plan(SetupRequest(**BUCKET)) if each.id == "bucket-policy"]
    assert all(each["Effect"] == "Allow" for each in theirs.statements)


def test_the_same_request_gives_the_same_plan():
    assert plan(SetupRequest(), AccountFacts("111122223333")) == plan(
        SetupRequest(), AccountFacts("111122223333")
    )


def test_an_unknown_account_is_shown_as_a_placeholder():
    (trail,) = [step for step in plan(SetupRequest()) if step.id == "trail"]

    assert trail.resource == "arn:aws:cloudtrail:us-east-1:ACCOUNT:trail/trailcourier"


def test_documents_are_encoded_where_aws_takes_text():
    given = {"Policy": {"a": 1}, "Attributes": {"RedrivePolicy": {"b": 2}, "Other": "x"}}

    assert encode_parameters(given) == {
        "Policy": '{"a": 1}', "Attributes": {"RedrivePolicy": '{"b": 2}', "Other": "x"},
    }  # fmt: skip


def test_a_placeholder_is_shown_by_its_name():
    assert show_placeholders({"a": [Placeholder("queue_url")]}) == {"a": ["<queue_url>"]}


def test_a_preview_without_aws_reports_each_step_as_not_readable():
    def nobody(service, region):
        raise FileNotFoundError("nowhere")

    reports = list(preview_apply(plan(SetupRequest()), StepRunner(nobody, "x")))

    assert {each.state for each in reports} <= {"cannot read", "to create"}
