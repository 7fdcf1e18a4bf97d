"""What resource policies allow, as far as they are understood."""

import json

import pytest

from trailcourier.doctor.policies import PolicyQuestion, allows, allows_anyone, denying, senders

QUEUE = "arn:aws:sqs:eu-west-1:111122223333:cloudtrail"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:cloudtrail"
REQUEST = PolicyQuestion("sns.amazonaws.com", "sqs:SendMessage", QUEUE, TOPIC, "111122223333")
GOOD = {
    "Effect": "Allow",
    "Principal": {"Service": "sns.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": QUEUE,
    "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
}
ACCOUNT = "111122223333"
DENY = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": QUEUE}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def changed(**more):
    return {name: value for name, value in (GOOD | more).items() if value is not None}


CASES = [
    ("yes", [GOOD], "as-documented"),
    ("yes", [changed(Condition=None)], "without-condition"),
    ("yes", [changed(Principal="*")], "anybody"),
    ("yes", [changed(Principal={"AWS": "*"})], "anybody-as-the-console-writes-it"),
    ("yes", [changed(Principal={"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]})], "one-of"),
    ("yes", [changed(Action=["SQS:Send*", "sqs:GetQueueUrl"])], "pattern-in-any-case"),
    ("yes", [changed(Resource="*")], "any-resource"),
    ("yes", [changed(Condition={"ArnLike": {"AWS:SourceArn": TOPIC[:-5] + "*"}})], "arn-like"),
    ("yes", [changed(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}})], "account"),
    ("yes", [changed(Condition={"ArnEqualsIfExists": {"aws:SourceArn": [TOPIC]}})], "if-exists"),
    ("yes", [GOOD, DENY | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}], "https-only"),
    ("yes", [GOOD, DENY | {"Condition": {"Bool": {"aws:SecureTransport": False}}}], "https-bool"),
    ("yes", [changed(Effect="Deny", Action="sqs:DeleteMessage"), GOOD], "other-action-denied"),
    ("yes", [changed(Action=None, NotAction="sqs:DeleteMessage")], "all-but-another-action"),
    ("no", [], "empty"),
    ("no", [changed(Principal={"Service": "s3.amazonaws.com"})], "other-service"),
    ("no", [changed(Principal={"AWS": "arn:aws:iam::111122223333:root"})], "an-account"),
    ("no", [changed(Action="sqs:ReceiveMessage")], "other-action"),
    ("no", [changed(Action=None, NotAction="sqs:SendMessage")], "not-action"),
    ("no", [changed(Resource=QUEUE + "-other")], "other-queue"),
    ("no", [changed(Condition={"ArnEquals": {"aws:SourceArn": TOPIC + "-2"}})], "other-topic"),
    ("no", [changed(Condition={"StringEquals": {"aws:SourceAccount": "9"}})], "other-account"),
    ("no", [GOOD, DENY], "denied"),
    ("no", [GOOD, DENY | {"Principal": None, "NotPrincipal": {"AWS": "arn:x"}}], "not-principal"),
    ("no", [changed(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})], "org"),
    ("unknown", [changed(Condition={"StringEquals": {"AWS:SourceOwner": "1"}})], "default-policy"),
    ("yes", [changed(Condition={"ArnNotEquals": {"aws:SourceArn": "x"}})], "negated"),
    ("unknown", [changed(Condition={"DateLessThan": {"aws:SourceArn": "x"}})], "operator"),
    ("unknown", [GOOD, DENY | {"Condition": {"StringEquals": {"aws:x": "y"}}}], "denied-perhaps"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "statements"), [pytest.param(*case[:2], id=case[2]) for case in CASES]
)
def test_a_policy_says_yes_no_or_is_not_understood(verdict, statements):
    assert allows(policy(*statements), REQUEST) == verdict


@pytest.mark.parametrize("text", ["", "{}", "no JSON", "[]", '{"Statement": "x"}'])
def test_what_is_no_policy_allows_nothing(text):
    assert allows(text, REQUEST) == "no"
    assert senders(text, "sqs:SendMessage") == {}


def test_a_single_statement_may_stand_without_a_list():
    assert allows(json.dumps({"Statement": GOOD}), REQUEST) == "yes"


def test_senders_are_read_from_the_source_arns_of_statements():
    bucket, rule = "arn:aws:s3:::acme", "arn:aws:events:eu-west-1:111122223333:rule/logs"
    text = policy(
        GOOD,
        changed(Condition={"ArnLike": {"aws:SourceArn": [bucket, "arn:aws:s3:*:*:acme-*"]}}),
        changed(Condition={"ArnEquals": {"aws:SourceArn": rule}}),
        changed(Action="sqs:ReceiveMessage", Condition={"ArnEquals": {"aws:SourceArn": "arn:x:y"}}),
        changed(Effect="Deny", Condition={"ArnEquals": {"aws:SourceArn": TOPIC + "-2"}}),
    )

    assert senders(text, "sqs:SendMessage") == {"sns": {TOPIC}, "s3": {bucket}, "events": {rule}}


def test_a_policy_without_an_allow_for_the_action_lets_nobody_do_it():
    assert allows_anyone(policy(GOOD), "sqs:SendMessage")
    assert not allows_anyone("", "sqs:SendMessage")
    assert not allows_anyone(policy(DENY), "sqs:SendMessage")
    assert not allows_anyone(policy(changed(Action="sqs:ReceiveMessage")), "sqs:SendMessage")


def unless(operator, key, value, **more):
    return DENY | {"Sid": "Ours"} | {"Condition": {operator: {key: value}} | more}


BRIDGE = {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}


@pytest.mark.parametrize(
    ("verdict", "statement"),
    [
        ("no", unless("StringNotEquals", "aws:PrincipalOrgID", "o-1")),
        ("no", unless("StringNotEqualsIfExists", "aws:PrincipalOrgID", "o-1")),
        ("yes", unless("StringNotEquals", "aws:PrincipalOrgID", "o-1", **BRIDGE)),
        ("yes", unless("StringEquals", "aws:PrincipalOrgID", "o-1")),
        ("no", unless("ForAllValues:StringNotLike", "aws:PrincipalOrgPaths", "o-1/*")),
        ("yes", unless("ForAnyValue:StringNotLike", "aws:PrincipalOrgPaths", "o-1/*")),
        ("yes", unless("Null", "aws:PrincipalOrgID", "false")),
        ("no", unless("Null", "aws:PrincipalOrgID", "true")),
        ("no", unless("StringNotEquals", "aws:SourceVpce", "vpce-1")),
        ("no", unless("ArnNotEquals", "aws:SourceArn", "arn:aws:sns:eu-west-1:1:other")),
        ("yes", unless("ArnNotLike", "aws:SourceArn", TOPIC)),
        ("unknown", unless("StringNotEquals", "aws:SourceOrgID", "o-1")),
    ],
)
def test_a_denial_by_organisation_hits_the_services_of_aws(verdict, statement):
    both = policy(GOOD, statement)

    assert allows(both, REQUEST) == verdict
    assert denying(both, REQUEST) == ("Ours" if verdict == "no" else "")
