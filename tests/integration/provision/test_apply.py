"""The AWS side, made on moto: every row of the checklist that is about setting it up."""

import json

import pytest

from tests.http_stub import Reply
from trailcourier.errors import Unreachable
from trailcourier.provision.permissions import Denied

ACCOUNT = "123456789012"


def states(told):
    return {each.state for each in told.values()}


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
def made(site):
    """The default: a new trail, bucket, topic, queue, and a user with a key."""
    found = site()
    found.apply()
    return found


def test_s20_the_trail_has_the_name_that_was_asked_for(made):
    assert made.client("cloudtrail").get_trail(Name=made.name)["Trail"]["Name"] == made.name


def test_s21_s10_the_trail_covers_every_region_with_validation(made):
    trail = made.client("cloudtrail").get_trail(Name=made.name)["Trail"]

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
def test_s22_data_events_of_no_bucket_chosen_ones_or_all(site, chosen, values):
    ours = site(data_events=chosen)

    ours.apply()

    told = ours.client("cloudtrail").get_event_selectors(TrailName=ours.name)
    (selector,) = told["EventSelectors"]
    assert selector["IncludeManagementEvents"] is True
    assert [each["Values"] for each in selector["DataResources"]] == ([values] if values else [])
    assert ours.apply()["event-selectors"].state == "already so"


def test_s23_the_bucket_is_new_private_and_cloudtrail_may_write_there(made):
    s3 = made.client("s3")
    bucket = made.layout.bucket

    policy = by_sid(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    trail = made.client("cloudtrail").get_trail(Name=made.name)["Trail"]

    assert set(block.values()) == {True}
    assert trail["S3BucketName"] == bucket
    write = policy[made.layout.sid("Write")]
    assert write["Resource"] == [f"arn:aws:s3:::{bucket}/AWSLogs/{ACCOUNT}/*"]
    assert write["Condition"]["StringEquals"]["aws:SourceArn"] == trail["TrailARN"]


def test_s23_an_existing_bucket_in_another_region_with_a_prefix_is_used(site, gate):
    theirs = site()
    name = f"logs-{theirs.name}"
    theirs.client("s3", "eu-west-1").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    ours = site(bucket=name, existing_bucket=True, bucket_region="eu-west-1", prefix="audit")

    told = ours.apply()

    trail = ours.client("cloudtrail").get_trail(Name=ours.name)["Trail"]
    assert (trail["S3BucketName"], trail["S3KeyPrefix"]) == (name, "audit")
    assert told["bucket"].state == "already so"
    assert "bucket-privacy" not in told
    policy = by_sid(ours.client("s3", "eu-west-1").get_bucket_policy(Bucket=name)["Policy"])
    assert policy[ours.layout.sid("Write")]["Resource"] == [
        f"arn:aws:s3:::{name}/audit/AWSLogs/{ACCOUNT}/*"
    ]


def test_an_existing_bucket_that_is_not_there_is_said(site):
    with pytest.raises(Unreachable, match="arn:aws:s3:::not-there is not there"):
        site(bucket="not-there", existing_bucket=True).apply()


def test_s24_every_log_file_is_announced_on_a_topic_that_cloudtrail_may_publish_to(made):
    trail = made.client("cloudtrail").get_trail(Name=made.name)["Trail"]
    topic = made.client("sns").get_topic_attributes(TopicArn=made.layout.topic_arn)

    statements = by_sid(topic["Attributes"]["Policy"])
    assert trail["SnsTopicARN"] == made.layout.topic_arn
    ours = statements[made.layout.sid("Publish")]
    assert ours["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert ours["Condition"] == {"StringEquals": {"aws:SourceArn": trail["TrailARN"]}}
    assert "__default_statement_ID" in statements  # the owner's own is kept


def test_s24_a_topic_that_is_there_is_used_and_what_it_says_stays(site):
    theirs = site()
    topic = theirs.client("sns").create_topic(Name=f"old-{theirs.name}")["TopicArn"]
    ours = site(topic=topic)

    told = ours.apply()

    assert told["topic"].state == "already so"
    policy = theirs.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    assert set(by_sid(policy)) == {"__default_statement_ID", ours.layout.sid("Publish")}
    trail = ours.client("cloudtrail").get_trail(Name=ours.name)["Trail"]
    assert trail["SnsTopicARN"] == topic
    ours.client("sns").publish(TopicArn=topic, Message="a notice")
    assert json.loads(received(ours)[0])["Message"] == "a notice"
    assert states(ours.apply()) == {"already so"}
    gone = ours.destroy()
    assert (gone["topic-policy"].state, gone["subscription"].state) == ("removed", "removed")
    assert theirs.client("sns").get_topic_attributes(TopicArn=topic)


def test_s25_a_trail_that_was_created_logs(made):
    assert made.client("cloudtrail").get_trail_status(Name=made.name)["IsLogging"] is True


def test_s30_the_queue_is_standard_encrypted_and_fit_for_the_collector(made):
    found = attributes(made, made.name)

    assert "FifoQueue" not in found
    assert found["VisibilityTimeout"] == "600"
    assert found["MessageRetentionPeriod"] == str(14 * 86_400)
    assert found["ReceiveMessageWaitTimeSeconds"] == "20"
    assert found["SqsManagedSseEnabled"] == "true"
    assert json.loads(found["RedrivePolicy"]) == {
        "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{made.name}-dead",
        "maxReceiveCount": 10,
    }
    assert attributes(made, f"{made.name}-dead")["MessageRetentionPeriod"] == str(14 * 86_400)


def test_s31_the_queue_is_subscribed_and_its_policy_lets_the_topic_alone_send(made):
    (statement,) = by_sid(attributes(made, made.name)["Policy"]).values()

    made.client("sns").publish(TopicArn=made.layout.topic_arn, Message="a notice")

    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": made.layout.topic_arn}}
    (body,) = received(made)
    assert json.loads(body)["Message"] == "a notice"


def test_s31_a_raw_subscription_brings_the_message_bare(site):
    ours = site(raw=True)

    ours.apply()
    ours.client("sns").publish(TopicArn=ours.layout.topic_arn, Message="a notice")

    assert received(ours) == ["a notice"]


def test_s40_s41_s42_the_group_carries_the_policy_and_the_user_is_in_it(made):
    iam = made.client("iam")

    policy = iam.get_group_policy(GroupName=made.name, PolicyName=made.name)["PolicyDocument"]
    groups = iam.list_groups_for_user(UserName=made.name)["Groups"]

    assert {each["Sid"] for each in policy["Statement"]} == {"Queue", "ReadLogs", "ListAndLocate"}
    assert [each["GroupName"] for each in groups] == [made.name]


def test_s43_the_user_has_one_access_key_whose_secret_is_given_once(made):
    first = dict(made.known)
    made.apply()

    keys = made.client("iam").list_access_keys(UserName=made.name)["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in keys] == [first["access_key_id"]]
    assert len(first["secret_access_key"]) >= 40
    assert "secret_access_key" not in made.known


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
def test_a_second_apply_changes_nothing_and_says_so(site, gate, organization, choices):
    ours = site(**choices)
    first = ours.apply()
    gate.calls.clear()

    second = ours.apply()

    assert states(first) <= {"made", "already so"}
    assert states(second) == {"already so"}
    assert gate.changes == []
    assert states(ours.survey()) == {"already so"}
    assert [each.words for each in second.values()] == [each.words for each in first.values()]


def test_a_plan_says_what_would_be_made_and_makes_nothing(site, gate):
    told = site().survey()

    assert states(told) == {"to make"}
    assert gate.changes == []


def test_direct_s3_events_announce_log_files_and_nothing_else(site):
    ours = site(delivery="s3")
    ours.apply()
    received(ours)  # S3's test event
    s3 = ours.client("s3")

    for key in (f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/a.json.gz", "AWSLogs/else.txt"):
        s3.put_object(Bucket=ours.layout.bucket, Key=key, Body=b"x")

    (body,) = received(ours)
    assert json.loads(body)["Records"][0]["s3"]["object"]["key"].endswith("a.json.gz")
    assert "topic" not in [step.id for step in ours.steps]


def test_eventbridge_announces_log_files(site):
    ours = site(delivery="eventbridge")

    ours.apply()
    key = f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/a.json.gz"
    ours.client("s3").put_object(Bucket=ours.layout.bucket, Key=key, Body=b"x")

    (body,) = received(ours)
    told = json.loads(body)
    assert (told["detail-type"], told["detail"]["object"]["key"]) == ("Object Created", key)
    # moto keeps no sign of EventBridge in a bucket's configuration, so that step comes again
    again = ours.apply()
    assert {name for name, each in again.items() if each.state != "already so"} <= {"bucket-events"}


def test_eventbridge_that_is_on_is_seen(site, gate):
    ours = site(delivery="eventbridge", reader="none")
    ours.apply()
    told = b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>"
    gate.answers["s3:GetBucketNotificationConfiguration"] = Reply(
        200, told, (("Content-Type", "application/xml"),)
    )

    assert states(ours.apply()) == {"already so"}


def test_statements_that_others_wrote_stay_as_they_are(site):
    ours = site(bucket="shared-bucket", existing_bucket=True)
    s3, sns, sqs = (ours.client(each) for each in ("s3", "sns", "sqs"))
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
    s3.create_bucket(Bucket="shared-bucket")
    s3.put_bucket_policy(Bucket="shared-bucket", Policy=policy)
    topic = sns.create_topic(Name=ours.name)["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    sqs.create_queue(QueueName=ours.name, Attributes={"Policy": policy})

    told = ours.apply()

    found = (
        s3.get_bucket_policy(Bucket="shared-bucket")["Policy"],
        sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"],
        attributes(ours, ours.name)["Policy"],
    )
    assert all(by_sid(each)["Theirs"] == theirs for each in found)
    assert all(len(by_sid(each)) > 1 for each in found)
    assert told["queue"].state == "left as it is"
    assert "it is not setup's own; VisibilityTimeout is" in told["queue"].detail
    assert attributes(ours, ours.name)["VisibilityTimeout"] == "30"


def test_nothing_is_added_to_what_others_made_but_statements_beside_theirs(site):
    ours = site()
    iam = ours.client("iam")
    iam.create_user(UserName=ours.name)
    ours.client("s3").create_bucket(Bucket=ours.layout.bucket)

    surveyed, told = ours.survey(), ours.apply()

    for step, of in {
        "access-key": "user",
        "membership": "user",
        "bucket-privacy": "bucket",
    }.items():
        why = f"the {of} is not setup's own: choose another --name, or do it yourself"
        assert (surveyed[step].state, told[step].state) == ("left as it is", "left as it is")
        assert (surveyed[step].detail, told[step].detail) == (why, why)
    assert iam.list_access_keys(UserName=ours.name)["AccessKeyMetadata"] == []
    assert iam.list_groups_for_user(UserName=ours.name)["Groups"] == []
    assert (told["bucket-policy"].state, told["group-policy"].state) == ("made", "made")


def test_what_drifted_is_set_right_and_said(made):
    sqs, s3, iam = (made.client(each) for each in ("sqs", "s3", "iam"))
    url = sqs.get_queue_url(QueueName=made.name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30", "Policy": ""})
    made.client("cloudtrail").stop_logging(Name=made.name)
    s3.delete_bucket_policy(Bucket=made.layout.bucket)
    wide = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    iam.put_group_policy(GroupName=made.name, PolicyName=made.name, PolicyDocument=json.dumps(wide))

    told = made.apply()

    changed = {name: each.detail for name, each in told.items() if each.state == "changed"}
    assert changed["queue"] == 'VisibilityTimeout is "30", wanted "600"'
    assert changed["logging"] == "IsLogging is false, wanted true"
    assert "group-policy" in changed
    assert (told["bucket-policy"].state, told["queue-policy"].state) == ("made", "made")
    assert states(made.apply()) == {"already so"}


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
def test_a_failure_half_way_is_mended_by_running_it_again(site, gate, call):
    ours = site()
    gate.denied.add(call)

    with pytest.raises(Denied) as raised:
        ours.apply()
    gate.denied.clear()
    told = ours.apply()

    assert raised.value.statement["Action"] == call
    assert str(raised.value).startswith(f"AWS denied {call}: arn:aws:iam::{ACCOUNT}:user/admin may")
    assert "already so" in states(told) or call == "sqs:CreateQueue"
    assert states(ours.apply()) <= {"already so"} | ({"left as it is"} & states(told))


def test_a_denial_names_the_call_the_principal_the_resource_and_the_statement(site, gate):
    gate.denied.add("sqs:CreateQueue")

    with pytest.raises(Denied) as raised:
        site().apply()

    thing = f"arn:aws:sqs:us-east-1:{ACCOUNT}:thing"
    assert str(raised.value) == (
        f"AWS denied sqs:CreateQueue: arn:aws:iam::{ACCOUNT}:user/admin may not "
        f"sqs:CreateQueue on {thing}. The statement that is missing: "
        f'{{"Effect": "Allow", "Action": "sqs:CreateQueue", "Resource": "{thing}"}}'
    )
    assert raised.value.statement == {
        "Effect": "Allow", "Action": "sqs:CreateQueue", "Resource": thing,
    }  # fmt: skip


def test_a_plan_goes_on_where_it_may_not_look(site, gate):
    gate.denied.add("cloudtrail:GetTrail")

    told = site().survey()

    assert told["trail"].state == "cannot see"
    assert "cloudtrail:GetTrail" in told["trail"].detail
    assert told["access-key"].state == "to make"


def test_a_topic_of_another_account_that_does_not_let_us_is_for_the_other_side(site, gate):
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

    told = ours.apply()

    assert told["subscription"].state == "not from here"
    assert set(told) == {"dead-letter-queue", "queue", "queue-policy", "subscription"}
    (statement,) = by_sid(attributes(ours, ours.name)["Policy"]).values()
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": other}}
