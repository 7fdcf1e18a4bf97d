"""The AWS side, created on moto: every row of the checklist about setting it up."""

import json

import pytest

from tests.support.http_stub import Reply
from trailcourier.errors import Unreachable
from trailcourier.provision.permissions import Denied

ACCOUNT = "123456789012"


def states(reports):
    return {each.state for each in reports.values()}


def attributes(site, name):
    sqs = site.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def by_sid(policy):
    return {each["Sid"]: each for each in json.loads(policy)["Statement"]}


def received(site):
    sqs = site.client("sqs")
    url = sqs.get_queue_url(QueueName=site.name)["QueueUrl"]
    return [
        each["Body"]
        for each in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", [])
    ]


@pytest.fixture
def applied(site):
    """A default set-up: new trail, bucket, topic, queue, and a user with a key."""
    found = site()
    found.apply()
    return found


def test_the_trail_has_the_requested_name(applied):
    assert (
        applied.client("cloudtrail").get_trail(Name=applied.name)["Trail"]["Name"] == applied.name
    )


def test_the_trail_covers_every_region_with_validation(applied):
    trail = applied.client("cloudtrail").get_trail(Name=applied.name)["Trail"]

    assert trail["IsMultiRegionTrail"] is True
    assert trail["IncludeGlobalServiceEvents"] is True
    assert trail["LogFileValidationEnabled"] is True


@pytest.mark.parametrize(
    ("chosen", "values"),
    [
        pytest.param((), [], id="none"),
        pytest.param(("all",), ["arn:aws:s3"], id="every-bucket"),
        pytest.param(("one", "two"), ["arn:aws:s3:::one/", "arn:aws:s3:::two/"], id="chosen"),
    ],
)
def test_data_events_cover_no_bucket_chosen_ones_or_all(site, chosen, values):
    ours = site(data_events=chosen)

    ours.apply()

    answer = ours.client("cloudtrail").get_event_selectors(TrailName=ours.name)
    (selector,) = answer["EventSelectors"]
    assert selector["IncludeManagementEvents"] is True
    assert [each["Values"] for each in selector["DataResources"]] == ([values] if values else [])
    assert ours.apply()["event-selectors"].state == "unchanged"


def test_the_new_bucket_is_private_and_cloudtrail_may_write_to_it(applied):
    s3 = applied.client("s3")
    bucket = applied.layout.bucket

    policy = by_sid(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    trail = applied.client("cloudtrail").get_trail(Name=applied.name)["Trail"]

    assert set(block.values()) == {True}
    assert trail["S3BucketName"] == bucket
    write = policy[applied.layout.statement_id("Write")]
    assert write["Resource"] == [f"arn:aws:s3:::{bucket}/AWSLogs/{ACCOUNT}/*"]
    assert write["Condition"]["StringEquals"]["aws:SourceArn"] == trail["TrailARN"]


def test_an_existing_bucket_in_another_region_with_a_prefix_is_used(site, gate):
    theirs = site()
    name = f"logs-{theirs.name}"
    theirs.client("s3", "eu-west-1").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    ours = site(bucket=name, existing_bucket=True, bucket_region="eu-west-1", prefix="audit")

    reports = ours.apply()

    trail = ours.client("cloudtrail").get_trail(Name=ours.name)["Trail"]
    assert (trail["S3BucketName"], trail["S3KeyPrefix"]) == (name, "audit")
    assert reports["bucket"].state == "unchanged"
    assert "bucket-privacy" not in reports
    policy = by_sid(ours.client("s3", "eu-west-1").get_bucket_policy(Bucket=name)["Policy"])
    assert policy[ours.layout.statement_id("Write")]["Resource"] == [
        f"arn:aws:s3:::{name}/audit/AWSLogs/{ACCOUNT}/*"
    ]


def test_a_missing_existing_bucket_is_an_error(site):
    with pytest.raises(Unreachable, match="arn:aws:s3:::not-there does not exist"):
        site(bucket="not-there", existing_bucket=True).apply()


def test_the_trail_publishes_to_a_topic_that_lets_cloudtrail_publish(applied):
    trail = applied.client("cloudtrail").get_trail(Name=applied.name)["Trail"]
    topic = applied.client("sns").get_topic_attributes(TopicArn=applied.layout.topic_arn)

    statements = by_sid(topic["Attributes"]["Policy"])
    assert trail["SnsTopicARN"] == applied.layout.topic_arn
    ours = statements[applied.layout.statement_id("Publish")]
    assert ours["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert ours["Condition"]["StringEquals"] == {"aws:SourceArn": trail["TrailARN"]}
    assert "__default_statement_ID" in statements  # the topic's first statement is kept


def test_an_existing_topic_is_used_and_its_statements_stay(site):
    theirs = site()
    topic = theirs.client("sns").create_topic(Name=f"old-{theirs.name}")["TopicArn"]
    ours = site(topic=topic)

    reports = ours.apply()

    assert reports["topic"].state == "unchanged"
    policy = theirs.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    assert set(by_sid(policy)) == {"__default_statement_ID", ours.layout.statement_id("Publish")}
    trail = ours.client("cloudtrail").get_trail(Name=ours.name)["Trail"]
    assert trail["SnsTopicARN"] == topic
    ours.client("sns").publish(TopicArn=topic, Message="a notice")
    assert json.loads(received(ours)[0])["Message"] == "a notice"
    assert states(ours.apply()) == {"unchanged"}
    destroyed = ours.destroy()
    assert (destroyed["topic-policy"].state, destroyed["subscription"].state) == (
        "removed",
        "removed",
    )
    assert theirs.client("sns").get_topic_attributes(TopicArn=topic)


def test_a_new_trail_is_logging(applied):
    assert applied.client("cloudtrail").get_trail_status(Name=applied.name)["IsLogging"] is True


def test_the_queue_is_standard_encrypted_and_has_the_collectors_settings(applied):
    found = attributes(applied, applied.name)

    assert "FifoQueue" not in found
    assert found["VisibilityTimeout"] == "600"
    assert found["MessageRetentionPeriod"] == str(14 * 86_400)
    assert found["ReceiveMessageWaitTimeSeconds"] == "20"
    assert found["SqsManagedSseEnabled"] == "true"
    assert json.loads(found["RedrivePolicy"]) == {
        "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{applied.name}-dead",
        "maxReceiveCount": 10,
    }
    assert attributes(applied, f"{applied.name}-dead")["MessageRetentionPeriod"] == str(14 * 86_400)


def test_the_queue_is_subscribed_and_its_policy_lets_only_the_topic_send(applied):
    (statement,) = by_sid(attributes(applied, applied.name)["Policy"]).values()

    applied.client("sns").publish(TopicArn=applied.layout.topic_arn, Message="a notice")

    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": applied.layout.topic_arn}
    (body,) = received(applied)
    assert json.loads(body)["Message"] == "a notice"


def test_a_raw_subscription_delivers_the_message_without_an_envelope(site):
    ours = site(raw=True)

    ours.apply()
    ours.client("sns").publish(TopicArn=ours.layout.topic_arn, Message="a notice")

    assert received(ours) == ["a notice"]


def test_the_group_carries_the_policy_and_the_user_is_in_it(applied):
    iam = applied.client("iam")

    policy = iam.get_group_policy(GroupName=applied.name, PolicyName=applied.name)["PolicyDocument"]
    groups = iam.list_groups_for_user(UserName=applied.name)["Groups"]

    assert {each["Sid"] for each in policy["Statement"]} == {"Queue", "ReadLogs", "ListAndLocate"}
    assert [each["GroupName"] for each in groups] == [applied.name]


def test_the_user_has_one_access_key_and_its_secret_is_returned_once(applied):
    first = dict(applied.known)
    applied.apply()

    keys = applied.client("iam").list_access_keys(UserName=applied.name)["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in keys] == [first["access_key_id"]]
    assert len(first["secret_access_key"]) >= 40
    assert "secret_access_key" not in applied.known


CHOICES = [
    pytest.param({}, id="sns"),
    pytest.param({"raw": True, "reader": "none"}, id="raw"),
    pytest.param({"delivery": "s3", "reader": "pod-identity"}, id="s3"),
    pytest.param({"reader": "instance-profile", "kms_key": "new"}, id="kms"),
    pytest.param(
        {"kms_key": "new", "encrypt": ("logs", "queue", "topic"), "reader": "none"}, id="all-kms"
    ),
    pytest.param({"organization": True, "reader": "none"}, id="organisation"),
    pytest.param(
        {"reader": "cross-account", "principal": "arn:aws:iam::444455556666:root"},
        id="cross-account",
    ),
    pytest.param({"region": "eu-west-1", "data_events": ("all",)}, id="elsewhere"),
    pytest.param({"region": "us-gov-west-1"}, id="govcloud"),
    pytest.param({"region": "cn-north-1", "reader": "instance-profile"}, id="china"),
    pytest.param({"region": "eusc-de-east-1", "reader": "none"}, id="sovereign"),
]


@pytest.fixture
def organization(site):
    orgs = site().client("organizations")
    orgs.create_organization(FeatureSet="ALL")
    yield
    orgs.delete_organization()


@pytest.mark.parametrize("choices", CHOICES)
def test_a_second_apply_changes_nothing_and_reports_unchanged(site, gate, organization, choices):
    ours = site(**choices)
    first = ours.apply()
    gate.calls.clear()

    second = ours.apply()

    assert states(first) <= {"created", "unchanged"}
    assert states(second) == {"unchanged"}
    assert gate.changes == []
    assert states(ours.preview_apply()) == {"unchanged"}
    assert [each.summary for each in second.values()] == [each.summary for each in first.values()]


def test_a_preview_reports_what_would_be_created_and_creates_nothing(site, gate):
    reports = site().preview_apply()

    assert states(reports) == {"to create"}
    assert gate.changes == []


def test_direct_s3_events_notify_of_log_files_only(site):
    ours = site(delivery="s3")
    ours.apply()
    received(ours)  # S3's test event
    s3 = ours.client("s3")

    for key in (f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/a.json.gz", "AWSLogs/else.txt"):
        s3.put_object(Bucket=ours.layout.bucket, Key=key, Body=b"x")

    (body,) = received(ours)
    assert json.loads(body)["Records"][0]["s3"]["object"]["key"].endswith("a.json.gz")
    assert "topic" not in [step.id for step in ours.steps]


def test_eventbridge_notifies_of_log_files(site):
    ours = site(delivery="eventbridge")

    ours.apply()
    key = f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/a.json.gz"
    ours.client("s3").put_object(Bucket=ours.layout.bucket, Key=key, Body=b"x")

    (body,) = received(ours)
    event = json.loads(body)
    assert (event["detail-type"], event["detail"]["object"]["key"]) == ("Object Created", key)
    # moto does not store EventBridge in a bucket's configuration, so this step is applied again
    again = ours.apply()
    assert {name for name, each in again.items() if each.state != "unchanged"} <= {"bucket-events"}


def test_eventbridge_that_is_on_is_unchanged(site, gate):
    ours = site(delivery="eventbridge", reader="none")
    ours.apply()
    answer = b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"
    gate.answers["s3:GetBucketNotificationConfiguration"] = Reply(
        200, answer, (("Content-Type", "application/xml"),)
    )

    assert states(ours.apply()) == {"unchanged"}


def test_others_statements_stay_unchanged(site):
    ours = site(bucket="shared-bucket", existing_bucket=True)
    s3, sns, sqs = (ours.client(each) for each in ("s3", "sns", "sqs"))
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
    s3.create_bucket(Bucket="shared-bucket")
    s3.put_bucket_policy(Bucket="shared-bucket", Policy=policy)
    topic = sns.create_topic(Name=ours.name)["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    sqs.create_queue(QueueName=ours.name, Attributes={"Policy": policy})

    reports = ours.apply()

    found = (
        s3.get_bucket_policy(Bucket="shared-bucket")["Policy"],
        sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"],
        attributes(ours, ours.name)["Policy"],
    )
    assert all(by_sid(each)["Theirs"] == theirs for each in found)
    assert all(len(by_sid(each)) > 1 for each in found)
    assert reports["queue"].state == "skipped"
    assert "setup did not create it; VisibilityTimeout is" in reports["queue"].detail
    assert attributes(ours, ours.name)["VisibilityTimeout"] == "30"


def test_only_statements_are_added_to_what_setup_did_not_create(site):
    ours = site()
    iam = ours.client("iam")
    iam.create_user(UserName=ours.name)
    ours.client("s3").create_bucket(Bucket=ours.layout.bucket)

    previewed, reports = ours.preview_apply(), ours.apply()

    for step, parent in {
        "access-key": "user",
        "membership": "user",
        "bucket-privacy": "bucket",
    }.items():
        why = f"setup did not create the {parent}: choose another --name, or do it yourself"
        assert (previewed[step].state, reports[step].state) == ("skipped", "skipped")
        assert (previewed[step].detail, reports[step].detail) == (why, why)
    assert iam.list_access_keys(UserName=ours.name)["AccessKeyMetadata"] == []
    assert iam.list_groups_for_user(UserName=ours.name)["Groups"] == []
    assert (reports["bucket-policy"].state, reports["group-policy"].state) == ("created", "created")


def test_drift_is_corrected_and_reported(applied):
    sqs, s3, iam = (applied.client(each) for each in ("sqs", "s3", "iam"))
    url = sqs.get_queue_url(QueueName=applied.name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30", "Policy": ""})
    applied.client("cloudtrail").stop_logging(Name=applied.name)
    s3.delete_bucket_policy(Bucket=applied.layout.bucket)
    wide = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    iam.put_group_policy(
        GroupName=applied.name, PolicyName=applied.name, PolicyDocument=json.dumps(wide)
    )

    reports = applied.apply()

    changed = {name: each.detail for name, each in reports.items() if each.state == "updated"}
    assert changed["queue"] == 'VisibilityTimeout is "30", expected "600"'
    assert changed["logging"] == "IsLogging is false, expected true"
    assert "group-policy" in changed
    assert (reports["bucket-policy"].state, reports["queue-policy"].state) == ("created", "created")
    assert states(applied.apply()) == {"unchanged"}


@pytest.mark.parametrize(
    "call",
    [
        "sqs:CreateQueue",
        "s3:PutBucketTagging",
        "s3:PutBucketPolicy",
        "sns:SetTopicAttributes",
        "sns:Subscribe",
        "cloudtrail:StartLogging",
        "iam:PutGroupPolicy",
        "iam:CreateAccessKey",
    ],
)
def test_apply_continues_after_a_failure_when_run_again(site, gate, call):
    ours = site()
    gate.denied.add(call)

    with pytest.raises(Denied) as raised:
        ours.apply()
    gate.denied.clear()
    reports = ours.apply()

    assert raised.value.statement["Action"] == call
    assert str(raised.value).startswith(
        f"AWS denied {call}: arn:aws:iam::{ACCOUNT}:user/admin is not"
    )
    assert "unchanged" in states(reports) or call == "sqs:CreateQueue"
    assert states(ours.apply()) <= {"unchanged"} | ({"skipped"} & states(reports))


def test_a_denial_names_the_call_the_principal_the_resource_and_the_statement(site, gate):
    gate.denied.add("sqs:CreateQueue")

    with pytest.raises(Denied) as raised:
        site().apply()

    thing = f"arn:aws:sqs:us-east-1:{ACCOUNT}:thing"
    assert str(raised.value) == (
        f"AWS denied sqs:CreateQueue: arn:aws:iam::{ACCOUNT}:user/admin is not "
        f"allowed sqs:CreateQueue on {thing}. Allow it with this statement, then run this again: "
        f'{{"Effect": "Allow", "Action": "sqs:CreateQueue", "Resource": "{thing}"}}'
    )
    assert raised.value.statement == {
        "Effect": "Allow", "Action": "sqs:CreateQueue", "Resource": thing,
    }  # fmt: skip


def test_a_preview_continues_where_it_may_not_read(site, gate):
    gate.denied.add("cloudtrail:GetTrail")

    reports = site().preview_apply()

    assert reports["trail"].state == "cannot read"
    assert "cloudtrail:GetTrail" in reports["trail"].detail
    assert reports["access-key"].state == "to create"


@pytest.mark.parametrize(
    ("denied", "unread"),
    [
        ("sqs:GetQueueUrl", {"dead-letter-queue", "queue", "queue-policy"}),
        ("s3:HeadBucket", {"bucket"}),
        ("sns:GetTopicAttributes", {"topic", "topic-policy"}),
        ("cloudtrail:GetTrail", {"trail"}),
        ("tag:GetResources", {"key", "key-policy"}),
    ],
)
def test_a_preview_creates_nothing_that_it_may_not_look_for(site, gate, denied, unread):
    ours = site(kms_key="new")
    ours.apply()
    gate.denied.add(denied)

    reports = ours.preview_apply()

    assert {name for name, each in reports.items() if each.state == "cannot read"} >= unread
    assert {reports[name].state for name in unread} == {"cannot read"}
    assert "to create" not in states(reports)
    details = [reports[name].detail for name in unread]
    assert all("may exist already" in each for each in details)
    assert any("Allow it with this statement" in each for each in details)


def test_a_preview_leaves_open_the_parts_of_what_it_may_not_read(site, gate):
    gate.denied.add("s3:HeadBucket")

    reports = site().preview_apply()

    assert reports["bucket-privacy"].state == "cannot read"
    assert reports["bucket-privacy"].detail.startswith("setup cannot read the bucket")


def test_a_notification_that_overlaps_is_refused_with_what_can_be_used(site, gate):
    theirs = site()
    s3, bucket = theirs.client("s3"), f"logs-{theirs.name}"
    s3.create_bucket(Bucket=bucket)
    topic = theirs.client("sns").create_topic(Name=theirs.name)["TopicArn"]
    other = {"Id": "theirs", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [other]}
    )
    ours = site(bucket=bucket, existing_bucket=True, delivery="s3", reader="none")

    gate.calls.clear()

    report = ours.preview_apply()["bucket-events"]

    assert report.state == "not allowed"
    assert f"use --delivery eventbridge, or --topic {topic}" in report.detail
    with pytest.raises(Unreachable, match="bucket-events: the bucket notifies arn:aws:sns"):
        ours.apply()
    assert gate.changes == []


def test_a_bucket_is_versioned_locked_and_deletes_log_files_as_asked(site):
    ours = site(lock_days=30, expire_days=400, reader="none", kms_key="new")

    first = ours.apply()
    s3, bucket = ours.client("s3"), ours.layout.bucket

    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"]["Mode"] == "GOVERNANCE"
    assert lock["Rule"]["DefaultRetention"]["Days"] == 30
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["ID"], rule["Expiration"]) == (ours.name, {"Days": 400})
    kms, key = ours.client("kms"), ours.known["key_arn"]
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
    assert {first[each].state for each in ("bucket-lock", "bucket-lifecycle", "key-rotation")} == {
        "created"
    }
    assert states(ours.apply()) == {"unchanged"}


def test_a_denied_subscription_to_another_accounts_topic_is_left_to_that_account(site, gate):
    other = "arn:aws:sns:eu-west-1:444455556666:aws-controltower-AllConfigNotifications"
    bucket = "aws-controltower-logs-444455556666-eu-west-1"
    ours = site(
        topic=other,
        trail=False,
        bucket=bucket,
        bucket_account="444455556666",
        existing_bucket=True,
        region="eu-west-1",
        reader="none",
    )
    gate.denied.add("sns:Subscribe")

    reports = ours.apply()

    assert reports["subscription"].state == "not allowed"
    assert set(reports) == {"dead-letter-queue", "queue", "queue-policy", "subscription"}
    (statement,) = by_sid(attributes(ours, ours.name)["Policy"]).values()
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": other}
