"""What setup says about trails that exist: how to use one, and when a new one is refused."""

import shlex

import pytest
from msgspec.structs import replace

from trailcourier.provision import AccountFacts, Layout, SetupRequest, check_request, plan, policies
from trailcourier.provision.option_text import list_options
from trailcourier.provision.trail_advice import (
    adopt,
    list_advice,
    list_objections,
    list_problems_with_chosen,
)
from trailcourier.provision.visible_trails import LIMIT, VisibleTrail, from_answers

ACCOUNT = "111122223333"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:cloudtrail"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/abc"
TRAIL = VisibleTrail(
    arn=f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main",
    home_region="us-east-1",
    bucket="acme-logs",
    topic=TOPIC,
    is_logging=True,
    bucket_region="eu-west-1",
    bucket_account=ACCOUNT,
)
CONTROL_TOWER = {
    "TrailARN": f"{TRAIL.arn.partition(ACCOUNT)[0]}444455556666:trail/aws-controltower-Baseline",
    "HomeRegion": "us-east-1",
    "S3BucketName": "aws-controltower-logs-777788889999-us-east-1",
    "S3KeyPrefix": "o-1234567890",
    "SnsTopicARN": "arn:aws:sns:us-east-1:444455556666:aws-controltower-AllConfigNotifications",
    "KmsKeyId": "arn:aws:kms:us-east-1:444455556666:key/def",
    "IsMultiRegionTrail": True,
    "IsOrganizationTrail": True,
}  # fmt: skip


def layout(*trails, **choices):
    return Layout(SetupRequest(**choices), AccountFacts(account=ACCOUNT, trails=trails))


def command(found):
    (line,) = [each for each in list_advice(found) if each.startswith("  Use it: ")]
    return shlex.split(line.removeprefix("  Use it: "))


def test_a_trail_with_a_topic_is_used_by_its_topic_bucket_prefix_and_key():
    found = layout(replace(TRAIL, prefix="audit", key=KEY), name="mine")

    assert command(found) == [
        "trailcourier", "setup", "apply", "--name", "mine", "--bucket", "acme-logs",
        "--existing-bucket", "--prefix", "audit", "--no-trail", "--topic", TOPIC,
        "--kms-key", KEY,
    ]  # fmt: skip


def test_a_trail_without_a_topic_is_used_by_notifications_of_its_bucket():
    found = layout(replace(TRAIL, topic=""))

    request = adopt(found, found.facts.trails[0])

    assert (request.delivery, request.region, request.topic) == ("s3", "eu-west-1", "")
    assert check_request(request) == []


def test_a_trail_without_a_topic_in_anothers_bucket_needs_its_owner():
    found = layout(replace(TRAIL, topic="", bucket_account="444455556666"))

    text = "\n".join(list_advice(found))

    assert "aws cloudtrail update-trail --region us-east-1 --name " in text
    assert "--sns-topic-name TOPIC" in text


def test_control_towers_trail_is_recognised_with_the_account_of_its_bucket():
    trail = from_answers(CONTROL_TOWER, {"IsLogging": True}, {})

    found = layout(trail)
    request = adopt(found, trail)

    assert any("(Control Tower's, of account 444455556666)" in each for each in list_advice(found))
    assert request.bucket_account == "777788889999"
    assert request.prefix == "o-1234567890"
    assert request.kms_key == CONTROL_TOWER["KmsKeyId"]
    assert check_request(request) == []


def test_an_unknown_owner_of_the_bucket_is_left_to_be_filled_in():
    theirs = replace(TRAIL, arn=TRAIL.arn.replace(ACCOUNT, "444455556666"), bucket_account="",
                     organization=True)  # fmt: skip

    assert "BUCKET_ACCOUNT" in command(layout(theirs))


def test_a_second_trail_is_refused_unless_it_is_asked_for():
    (objection,) = list_objections(layout(TRAIL))

    assert "covers this account already, and AWS charges for a second copy" in objection
    assert f"--no-trail --topic {TOPIC}" in objection
    assert list_objections(layout(TRAIL, second_trail=True)) == []


@pytest.mark.parametrize(
    ("trails", "choices"),
    [
        pytest.param((), {}, id="no-trail"),
        pytest.param((replace(TRAIL, is_logging=False),), {}, id="stopped"),
        pytest.param((replace(TRAIL, multi_region=False),), {}, id="one-region"),
        pytest.param((replace(TRAIL, management_events=False),), {}, id="data-events"),
        pytest.param((TRAIL,), {"name": "main"}, id="our-own"),
        pytest.param(
            (TRAIL, replace(TRAIL, arn=f"{TRAIL.arn}-2")),
            {"name": "main"},
            id="our-own-and-another",
        ),
        pytest.param(
            (TRAIL,),
            {"trail": False, "topic": TOPIC, "bucket": "acme-logs", "existing_bucket": True},
            id="used",
        ),
    ],
)
def test_a_trail_that_covers_nothing_or_is_ours_is_no_objection(trails, choices):
    assert list_objections(layout(*trails, **choices)) == []


def test_a_stopped_trail_is_shown_with_the_command_that_starts_it():
    text = "\n".join(list_advice(layout(replace(TRAIL, is_logging=False))))

    assert f"  does not log; start it: aws cloudtrail start-logging --region us-east-1 --name {TRAIL.arn}" in text  # fmt: skip  # noqa: E501


def test_a_trail_whose_state_aws_does_not_show_is_not_said_to_log():
    text = "\n".join(list_advice(layout(replace(TRAIL, is_logging=None))))

    assert "allow cloudtrail:GetTrailStatus" in text


def test_a_sixth_trail_in_a_region_is_refused():
    five = [replace(TRAIL, arn=f"{TRAIL.arn}-{each}", multi_region=False) for each in range(LIMIT)]

    (objection,) = list_objections(layout(*five, second_trail=True))

    assert "us-east-1 has 5 trails already" in objection
    assert list_objections(layout(*five, name="main-0")) == []


@pytest.mark.parametrize(
    ("selectors", "covers"),
    [
        ({}, True),
        ({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}, True),
        ({"EventSelectors": [{"ReadWriteType": "WriteOnly"}]}, False),
        ({"EventSelectors": [{"IncludeManagementEvents": False}]}, False),
        ({"AdvancedEventSelectors": [{"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]}]}]}, True),
        ({"AdvancedEventSelectors": [{"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]}]}]}, False),
        ({"AdvancedEventSelectors": [{"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]},
            {"Field": "readOnly", "Equals": ["false"]}]}]}, False),
    ],
    ids=str,
)  # fmt: skip
def test_only_a_trail_with_all_management_events_covers_the_account(selectors, covers):
    trail = from_answers(CONTROL_TOWER, {"IsLogging": True}, selectors)

    assert trail.covers_account is covers


USED = {"trail": False, "bucket": "acme-logs", "existing_bucket": True, "topic": TOPIC}


def test_the_reader_may_decrypt_with_the_key_of_the_trail_that_is_used():
    found = layout(replace(TRAIL, key=KEY), **USED)

    *_, decrypt = policies.reader_statements(found)

    assert (decrypt["Action"], decrypt["Resource"]) == ("kms:Decrypt", KEY)
    assert "key-policy" not in {each.id for each in plan(found.request, found.facts)}


def test_a_used_trail_is_compared_with_the_options():
    stopped = replace(TRAIL, is_logging=False, topic="", key="alias/logs")

    problems = list(list_problems_with_chosen(layout(stopped, **USED)))

    assert [each.removeprefix(f"trail {TRAIL.arn} ").split()[0] for each in problems] == [
        "does", "announces", "encrypts",
    ]  # fmt: skip
    assert list(list_problems_with_chosen(layout(TRAIL, **USED))) == []


def test_a_prefix_of_a_used_trail_narrows_the_reader_and_the_notification():
    request = SetupRequest(account=ACCOUNT, **{**USED, "topic": ""}, prefix="audit", delivery="s3")

    _, read, _ = policies.reader_statements(Layout(request))
    (events,) = [each for each in plan(request) if each.id == "bucket-events"]

    assert check_request(request) == []
    assert read["Resource"] == "arn:aws:s3:::acme-logs/audit/AWSLogs/*"
    assert {"Name": "prefix", "Value": "audit/AWSLogs/"} in (
        events.expected.entry["Filter"]["Key"]["FilterRules"]
    )


def test_only_options_that_are_not_the_defaults_are_written():
    request = SetupRequest(raw=True, trail=False, data_events=("one", "two"), name="x-y")

    assert list(list_options(request)) == [
        "--name", "x-y", "--no-trail", "--data-events", "one", "--data-events", "two", "--raw",
    ]  # fmt: skip
    assert list(list_options(SetupRequest())) == []
